"""What a test sees of a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

ACCESS_KEY = "AKIDEXAMPLE"  # SeaweedFS checks the signatures made with it; DynamoDB Local wants letters and digits
SECRET_KEY = "secretexample"
REGION = "us-east-1"

_URL_VARIABLES = {"dynamodb": "AWS_ENDPOINT_URL_DYNAMODB", "s3": "AWS_ENDPOINT_URL_S3"}


class Unavailable(Exception):
    """The server cannot be had on this machine; says why."""


@dataclass
class Endpoint:
    """A running server.

    name: `moto`, `dynalite`, ...
    service: `dynamodb` or `s3`.
    url: `http://127.0.0.1:<port>`.
    """

    name: str
    service: str
    url: str
    _client: Any = field(default=None, repr=False)

    @property
    def env(self) -> dict[str, str]:
        """What to put into the environment of a command so that it uses this server."""
        return {_URL_VARIABLES[self.service]: self.url}

    def client(self, **config: Any) -> Any:
        """A boto3 client that never retries; always the same one, unless options for its Config are given."""
        if config:
            return self._new_client(**config)
        if self._client is None:
            self._client = self._new_client()
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _new_client(self, **config: Any) -> Any:
        defaults = {"retries": {"total_max_attempts": 1}, "connect_timeout": 5, "read_timeout": 30}
        session = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name=REGION)
        return session.client(self.service, endpoint_url=self.url, config=Config(**{**defaults, **config}))
