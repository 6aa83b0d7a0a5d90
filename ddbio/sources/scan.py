"""A table as a source: units are segments of a parallel Scan, and each page is a batch of records.

A scan can be resumed after a whole page, from its `LastEvaluatedKey`. A mark is that key and the number of the unit's
items up to it. The scan of an edit can be resumed after each item, from the key of the item: a page may take long to
write, and after a stop its first part need not be repeated.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from ddbio.dynamodb.client import DataClient
from ddbio.dynamodb.errors import ServiceError
from ddbio.dynamodb.operations import Operation
from ddbio.dynamodb.scan import ScanReply, scan_body, scan_operation
from ddbio.errors import PermanentError
from ddbio.formats.scanned import ScannedItems
from ddbio.messages import ExportCursor, Reject, SegmentUnit, Tally
from ddbio.native import Rendering
from ddbio.sources.page_size import KeyCircle, MostItems, PageSize
from ddbio.sources.raw_page import RawPage
from ddbio.sources.subset import WHOLE, Subset
from ddbio.steps.item_sizes import ItemSizes, row_as_map
from ddbio.steps.limit import Limit
from ddbio.steps.records import Record
from ddbio.values.items import AttributeMap

ATTRIBUTE_MAPS: Any = list[AttributeMap]  # the row type that steps and every sink accept


@dataclass(frozen=True, slots=True)
class TableScan:
    """Describes the scan of a table to the workers; picklable.

    table: its name. item_bytes: average item size that the service reports; 0 if it reports none.
    subset: the part of the table to scan; all of it by default. key_names: of the table, for rejects.
    most_items: of a page; None for as many as fit. edits: the items are only changed, so that a rejected one is no
    record to import: putting it back would undo the changes of others.
    """

    table: str
    item_bytes: float = 0.0
    consistent_read: bool = False
    subset: Subset = WHOLE
    key_names: tuple[str, ...] = ()
    most_items: int | None = None
    edits: bool = False


class Scanning:
    """A scan opened in a worker and shared by its lanes.

    request_units: returns the most units that a page should cost; called each time, because a cap may change.
    rows: the type that items are decoded to, unless they are rendered; see `ddbio.formats.Format`. raw: instead,
        pages are passed on undecoded, as records of this format.
    most_items: of a page; see `PageSize`.
    """

    def __init__(
        self,
        scan: TableScan,
        request_units: Callable[[], float],
        rows: Any = ATTRIBUTE_MAPS,
        rendered: Rendering | None = None,
        raw: ScannedItems | None = None,
        most_items: MostItems | None = None,
    ) -> None:
        self.scan = scan
        self.raw = raw
        self.page_size = PageSize(
            request_units, scan.item_bytes, consistent=scan.consistent_read, most_items=most_items
        )
        self.operation: Operation[ScanReply] = scan_operation(rows if raw is None else raw.page_items, rendered)


class Page:
    """The items of one page. Its rows must be attribute maps if records are taken one by one."""

    lines = None

    def __init__(self, items: list[Any]) -> None:
        self._items = items
        self.taken = not items

    def rows(self) -> list[Any]:
        self.taken = True
        return self._items

    def each(self) -> Iterator[Record]:
        for item in self._items:
            yield Record(None, msgspec.json.encode(item), [item])
        self.taken = True


class EditPage(Page):
    """Items that will be changed. Each is counted when it is taken.

    granted: called before an item is handed out; false if the limit is reached. took: called when it is taken. ended:
    called after the last one, with the number of items that the limit leaves. last: the item taken last.
    """

    def __init__(
        self,
        items: list[AttributeMap],
        granted: Callable[[], bool],
        took: Callable[[], None],
        ended: Callable[[int], None],
    ) -> None:
        super().__init__(items)
        self._granted, self._took, self._page_ended = granted, took, ended
        self.last: AttributeMap | None = None

    def each(self) -> Iterator[Record]:
        done = 0
        for item in self._items:
            if not self._granted():
                break
            yield Record(None, msgspec.json.encode(item), [item])
            done, self.last = done + 1, item
            self._took()
        self.taken = True
        self._page_ended(len(self._items) - done)


class ScanSource:
    """See `ddbio.sources.source.Source`. limit: on the items that all lanes of the job may pass on. sizes: counts the
    items; None for a scan of parts of them."""

    marks_are_numbers = False

    def __init__(
        self,
        scanning: Scanning,
        client: DataClient,
        limit: Limit | None,
        tally: Tally,
        sizes: ItemSizes | None = None,
    ) -> None:
        self._scanning = scanning
        self._scan = scanning.scan
        self.deleted_are_gone = scanning.scan.edits
        self._client = client
        self._tally = tally
        self._limit = limit
        self._sizes = sizes
        self._unit: SegmentUnit
        self._keys = KeyCircle()
        self._key: str | None = None  # after the page
        self._items = 0  # passed on since the unit's start
        self._page: Page | RawPage = Page([])
        self._ended = False
        self._granted = 0  # as `_items`, of an edit; with the item that was handed out last
        self._requests = 0  # of the lane until then
        self._omitted = 0  # items of the last page of an edit, not counted yet

    def begin(self, unit: SegmentUnit) -> None:
        cursor = unit.cursor or ExportCursor(None, 0, None, 0)
        self._unit, self._key, self._items = unit, cursor.last_key, cursor.items
        self._keys, self._page, self._ended = KeyCircle(), Page([]), False
        self._granted, self._omitted = cursor.items, 0
        if self._limit is not None:
            self._limit.begin(unit.number, cursor.items)

    async def batches(self) -> AsyncGenerator[Page | RawPage, None]:
        while not self._ended and (limit := self._items_to_ask()) != 0:
            yield await self._next_page(limit)

    def mark(self) -> tuple[str | None, int] | None:
        page = self._page
        if isinstance(page, EditPage) and page.last is not None and (self._ended or not page.taken):
            key = {name: page.last[name] for name in self._scan.key_names}
            return msgspec.json.encode(key).decode(), self._items
        # After the last page there is no key to resume from, so no mark until the sink has finished.
        return (self._key, self._items) if page.taken and not self._ended else None

    def end(self) -> tuple[str | None, int]:
        self._count_omitted()  # of the last page, which has no mark after them
        return None, self._items

    def stopped(self, mark: tuple[Any, ...]) -> None:
        """Return the items of an edit to the limit that were certainly not sent: those in hand, and those pending if
        there was no request since the last one was handed out."""
        if self._limit is not None and self._scan.edits:
            sent_some = self._client.tally.requests > self._requests
            unsent = self._granted - (self._items if sent_some else mark[1])
            self._limit.give_back(self._unit.number, unsent)
            self._granted -= unsent

    def cursor(self, mark: tuple[Any, ...], output: Any) -> ExportCursor:
        key, items = mark
        files_done, file, file_items, packer = output or (0, None, 0, ())
        return ExportCursor(key, files_done, file, file_items, packer, items)

    def reject(self, place: None, text: bytes, code: str, message: str, text_bytes: int | None = None) -> Reject:
        item, unit = msgspec.json.decode(text), self._unit
        key = {name: item[name] for name in self._scan.key_names if name in item}
        return Reject(
            source=self._scan.table,
            offset=0,
            unit=unit.number,
            line=1,
            code=code,
            message=message,
            record=text,
            record_bytes=len(text) if self._scan.edits else text_bytes,
            segment=unit.segment,
            key=key,
        )

    def close(self) -> None:
        self._client.close()

    @property
    def where(self) -> str:
        """The segment and table, for messages."""
        return f"{self._unit.describe()} of table {self._scan.table}"

    def _items_to_ask(self) -> int | None:
        """How many items to request: 0 if the limit is reached, None for as many as fit in a page."""
        limit, most = self._scanning.page_size.limit, self._scan.most_items
        if most is not None:
            limit = min(most, limit or most)
        if self._limit is None:
            return limit
        left = max(0, self._limit.left())
        if not left or self._scan.subset.filters:  # how many items a filter leaves is unknown
            return limit if left else 0
        return min(left, limit or left)

    async def _next_page(self, limit: int | None) -> Page | RawPage:
        scan, page_size = self._scan, self._scanning.page_size
        body = scan_body(
            scan.table,
            segment=self._unit.segment,
            total_segments=self._unit.total_segments,
            consistent=scan.consistent_read,
            start_key=self._key,
            limit=limit,
            members=scan.subset.members,
        )
        try:
            reply = await self._client.call(self._scanning.operation, body, (page_size.estimate_of(limit),))
        except ServiceError as error:
            raise PermanentError(f"{self.where}: {error}", error.hint) from None
        next_key = self._checked(reply.next_key())
        items = reply.Items
        # Without a filter no item is omitted, but there is a server that also counts the item after the page.
        scanned = max(reply.ScannedCount, len(items)) if scan.subset.filters else len(items)
        page_size.learn(scanned, sum(self._client.consumed))
        if self._sizes is not None:
            self._sizes.count(items, row_as_map)
        if self._scan.edits:
            self._ended, self._key = next_key is None, next_key
            # Counted with the whole page only: if the scan is resumed within it, the rest of them is read again.
            omitted = scanned - len(items)
            self._page = EditPage(items, self._grant, self._took, lambda left: self._page_taken(left, omitted))
            return self._page
        if self._limit is not None:
            items = items[: self._limit.take(self._unit.number, len(items))]
        self._ended = next_key is None or len(items) < len(reply.Items)
        self._key = next_key
        self._items += len(items)
        self._tally.read += scanned
        self._tally.left_out += scanned - len(items)
        self._page = self._new_page(items, whole=len(items) == scanned)
        return self._page

    def _grant(self) -> bool:
        """Whether one more item of an edit may be written. It is taken from the limit before it is sent, so that no
        kill at whatever instant makes the items that were changed more than the limit."""
        if self._limit is not None and not self._limit.take(self._unit.number, 1):
            return False
        self._granted += 1
        self._requests = self._client.tally.requests
        return True

    def _took(self) -> None:
        self._items += 1
        self._tally.read += 1

    def _page_taken(self, left: int, omitted: int) -> None:
        """The page of an edit was taken. left: items that the limit leaves. omitted: by the filter."""
        self._requests = self._client.tally.requests
        self._ended = self._ended or left > 0
        self._omitted = left + omitted
        if not self._ended:
            self._count_omitted()

    def _count_omitted(self) -> None:
        self._tally.read += self._omitted
        self._tally.left_out += self._omitted
        self._omitted = 0

    def _new_page(self, items: list[Any], *, whole: bool) -> Page | RawPage:
        raw = self._scanning.raw
        if raw is None:
            return Page(items)
        if whole and "ProjectionExpression" not in self._scan.subset.members:
            raw.learn(items, self._scanning.page_size.bytes_of(sum(self._client.consumed)))
        return RawPage(items, raw)

    def _checked(self, next_key: str | None) -> str | None:
        """The key of the next page. Raises PermanentError if it was scanned already."""
        if next_key is not None and (self._keys.closes(next_key) or self._is_last(next_key)):
            raise PermanentError(
                f"{self.where}: the service returned a key to continue from that was scanned already: the scan would "
                "never end",
                "check --endpoint-url",
            )
        return next_key

    def _is_last(self, key: str) -> bool:
        last = self._key
        return last is not None and (key == last or bool(msgspec.json.decode(key) == msgspec.json.decode(last)))
