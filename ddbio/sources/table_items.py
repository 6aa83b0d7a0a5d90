"""Items of a table by their keys, read consistently, however often the service leaves some of them unread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ddbio.dynamodb.batch_get import BATCH_GET, MAX_KEYS, MAX_REPLY_BYTES, batch_get_body
from ddbio.dynamodb.client import DataClient
from ddbio.dynamodb.errors import ServiceError
from ddbio.errors import PermanentAbortError, PermanentError, RecordError
from ddbio.values.capacity import READ_UNIT_BYTES
from ddbio.values.items import AttributeMap
from ddbio.values.keys import ItemKey, key_checker
from ddbio.values.table import TableInfo

_WEIGHT = 0.3  # of the newest reply in the average
_MOST_BYTES = MAX_REPLY_BYTES // 4  # that one reply is expected to have


class ReadCost:
    """Units that an item costs, learned from the replies; shared by the lanes of a worker. item_bytes: on average."""

    def __init__(self, item_bytes: float) -> None:
        self.of_item = max(1.0, item_bytes / READ_UNIT_BYTES)

    def learn(self, items: int, units: float) -> None:
        self.of_item += _WEIGHT * (max(1.0, units / items) - self.of_item)

    def keys_a_request(self, most_units: float) -> int:
        most = min(most_units, _MOST_BYTES / READ_UNIT_BYTES) / self.of_item
        return int(min(max(1.0, most), MAX_KEYS))


class TableItems:
    """One a lane. most_units: returns the most that one request should cost; called each time."""

    def __init__(self, table: TableInfo, client: DataClient, cost: ReadCost, most_units: Callable[[], float]) -> None:
        self._table = table
        self._client = client
        self._cost = cost
        self._most_units = most_units
        self._key_of = key_checker(table, index_keys=False)

    async def read(self, keys: Iterable[ItemKey]) -> dict[ItemKey, AttributeMap]:
        """Those that exist. keys: each once. Raises as `DataClient.call` does; PermanentError if it is refused."""
        left, found = list(keys), dict[ItemKey, AttributeMap]()
        while left:
            count = self._cost.keys_a_request(self._most_units())
            unread = await self._request(left[:count], found)
            left = [*unread, *left[count:]]
        return found

    def close(self) -> None:
        self._client.close()

    async def _request(self, keys: Sequence[ItemKey], found: dict[ItemKey, AttributeMap]) -> list[ItemKey]:
        """Adds the items that were read. Returns the keys of those that were not."""
        body = batch_get_body(self._table.address, map(self._typed, keys))
        try:
            reply = await self._client.call(BATCH_GET, body, (len(keys) * self._cost.of_item,))
        except ServiceError as error:
            raise PermanentError(f'reading items of table "{self._table.name}": {error}', error.hint) from None
        asked = set(keys)
        items = self._by_key(reply.items(), asked)
        found.update(items)
        unread = list(self._by_key(reply.unprocessed(), asked))
        units = sum(self._client.consumed)
        if len(unread) < len(keys):
            self._cost.learn(len(keys) - len(unread), units)
        is_full = units * READ_UNIT_BYTES > MAX_REPLY_BYTES * 3 / 4  # what did not fit is no lack of capacity
        if unread and not is_full:
            self._client.left_unprocessed(len(unread), len(keys))
            await self._client.pause("the table leaves items unread")
        return unread

    def _typed(self, key: ItemKey) -> AttributeMap:
        return {part.name: {part.type: text} for part, text in zip(self._table.key, key, strict=True)}

    def _by_key(self, items: Iterable[AttributeMap], asked: set[ItemKey]) -> dict[ItemKey, AttributeMap]:
        try:
            found = {self._key_of(item): item for item in items}
        except (RecordError, AttributeError, TypeError):
            found = {(): {}}
        if not found.keys() <= asked:
            raise PermanentAbortError("the service returned items that were not asked for", "check --endpoint-url")
        return found
