"""dynamodb-csv: its command, with the two small files it wants."""

import csv
import os
import subprocess
import sys
from pathlib import Path

source = Path(sys.argv[1])
with source.open(newline="") as lines:
    columns = next(csv.reader(lines))
Path(f"{source}.spec").write_text("[CSV_SPEC]\n" + "".join(f"{name}=S\n" for name in columns))
keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
settings = "".join(f"{name}={os.environ[name]}\n" for name in keys)
Path("config.ini").write_text(
    f"[AWS]\n{settings}REGION={os.environ['AWS_REGION']}\nENDPOINT_URL={os.environ['AWS_ENDPOINT_URL']}\n"
)
command = Path(sys.executable).with_name("dynamodb-csv")
subprocess.run([sys.executable, command, "-i", "-t", "Orders", "-f", source], check=True)
