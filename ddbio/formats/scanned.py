"""Items as the service sends them, in DynamoDB JSON: read only where something has to know them."""

from __future__ import annotations

from typing import Any

import msgspec

from ddbio.formats.dynamodb_json import DynamoDBJson
from ddbio.values.items import AttributeMap


class ScannedItems(DynamoDBJson):
    """stored_share: the bytes of an item by DynamoDB's arithmetic, as a share of its text. Learned from the units
    that pages cost; at most 1, because every value has its type and quotes in the text.
    """

    notation = None  # they are not checked again

    def __init__(self) -> None:
        self.stored_share = 1.0

    def parse(self, record: Any) -> AttributeMap:
        item: AttributeMap = msgspec.json.decode(record)
        return item

    def learn(self, items: list[msgspec.Raw], stored_bytes: float) -> None:
        """Learn from a page. stored_bytes: of its items, at least."""
        text_bytes = sum(map(len, items))
        if text_bytes:
            self.stored_share = min(1.0, stored_bytes / text_bytes)
