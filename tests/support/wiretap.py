"""A botocore client without a network: its requests to DynamoDB are answered here, and show where they would go."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

TABLE = "Orders"
DESCRIPTION = {
    "TableName": TABLE,
    "TableStatus": "ACTIVE",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
}
ANSWERS: dict[str, Any] = {
    "DescribeTable": {"Table": DESCRIPTION},
    "BatchWriteItem": {"UnprocessedItems": {}},
    "Scan": {"Items": []},
}


class _Raw(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


class Wiretap:
    """Answers a client's requests without a network. reached: (URL, signing region) of the last one."""

    def __init__(self, client: Any) -> None:
        self.reached = ("", "")
        client.meta.events.register("before-send.dynamodb", self._answer)

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        scope = re.search(rb"Credential=[^/]+/\d+/([^/]+)/dynamodb/", request.headers["Authorization"])
        assert scope is not None
        self.reached = request.url.rstrip("/"), scope[1].decode()
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        return AWSResponse(request.url, 200, {}, _Raw(json.dumps(ANSWERS[operation]).encode()))
