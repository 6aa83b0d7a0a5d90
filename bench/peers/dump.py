"""dynamodump: its command."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

at = urlsplit(os.environ["AWS_ENDPOINT_URL"])
keys = ["--accessKey", os.environ["AWS_ACCESS_KEY_ID"], "--secretKey", os.environ["AWS_SECRET_ACCESS_KEY"]]
where = ["-r", "local", "--host", at.hostname, "--port", str(at.port), *keys, "--dumpPath", sys.argv[1]]
command = Path(sys.executable).with_name("dynamodump")
subprocess.run(
    [sys.executable, command, "-m", "backup", "-s", "Orders", "--skipThroughputUpdate", *where], check=True
)
