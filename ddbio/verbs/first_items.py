"""The result of a search that is written at its end: in order, or in columns that are known only then."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ddbio.errors import UsageError
from ddbio.flow.find_job import FindJob
from ddbio.formats import line_format
from ddbio.job.accounts import Accounts
from ddbio.job.journal import Journal
from ddbio.job.run import Run
from ddbio.job.work import Assignment
from ddbio.messages import UnitReport
from ddbio.messages.format_spec import FormatSpec
from ddbio.sinks.attributes_seen import NAMES_AND_TYPES
from ddbio.sinks.stdout import StandardOutput
from ddbio.sources.expressions import parse_names, top_names
from ddbio.sources.plan import Remainder
from ddbio.sources.subset import Subset, expected_items, limit_of
from ddbio.values.ordering import Order, Top, items_of
from ddbio.values.table import TableInfo
from ddbio.verbs.columns import choose_format, columns_of, in_order
from ddbio.verbs.discover_columns import Discovered
from ddbio.verbs.export_assignment import TakePage
from ddbio.verbs.options import ExportOptions, FindOptions
from ddbio.verbs.scan import scan_of, source_of


class FirstFound:
    """Keeps at most `options.limit` items. order: None for the order in which they are found. export: the same search
    as an export. lacks_order: whether items were written, and no item that was found has the order's attribute."""

    lacks_order = False

    def __init__(self, run: Run, options: FindOptions, order: Order | None, export: ExportOptions) -> None:
        assert options.limit is not None
        self._run, self._options, self._export = run, options, export
        self._limit = options.limit
        self._order = order
        self._top = None if order is None else Top(order, self._limit)
        self._found: list[bytes] = []  # without an order

    def assignment(self, subset: Subset, left: Remainder, journal: Journal) -> Assignment:
        run, options = self._run, self._options
        scan = scan_of(run.table, options, subset)
        source = source_of(run, options)
        job = FindJob(source=source, scan=scan, order=self._order, limit=self._limit, lanes=run.lanes)
        limit = self._limit if self._order is None else None
        return Assignment(
            job,
            expected_items(options, run.table),
            "items",
            0,
            self._take,
            item_limit=limit_of(limit, left, journal.settled()),
        )

    def _take(self, report: UnitReport) -> float:
        items = items_of(report.page)
        if self._top is None:
            self._found += map(bytes, items)
        else:
            self._top.add(items)
        return report.tally.read

    def write(self, accounts: Accounts, journal: Journal, take_page: TakePage | None = None) -> None:
        """Write the items, and count only these as written. Raises BrokenPipeError, TransferError.

        take_page: gets them in place of standard output."""
        items = self._found if self._top is None else self._top.first()
        if items and self._top is not None:  # those without the attribute are last
            first = msgspec.json.decode(b"[%b]" % items[0], type=NAMES_AND_TYPES)[0]
            self.lacks_order = self._options.order_by not in first
        format = line_format(self._format(items, journal))
        put = take_page or StandardOutput(self._run.stop).write
        put(format.head)
        for item in items:
            put(format.render(msgspec.json.decode(b"[%b]" % item, type=format.page_items)))
        accounts.total.left_out += accounts.total.written - len(items)
        accounts.total.written = len(items)

    def _format(self, items: Sequence[bytes], journal: Journal) -> FormatSpec:
        rules, table = columns_of(self._export), self._run.table
        if rules is None or self._export.attributes is not None:
            format, remarks = choose_format(self._export, table, journal, _never)
            for remark in remarks:
                self._run.progress.say(remark)
            return format
        types: dict[str, set[str]] = {}
        for item in items:
            for each in msgspec.json.decode(b"[%b]" % item, type=NAMES_AND_TYPES):
                for name, value in each.items():
                    types.setdefault(name, set()).update(value)
        return rules.spec(
            [(name, rules.type_of(types[name] - {"NULL"})) for name in in_order(types, table)], "string"
        )


def order_of(options: FindOptions, table: TableInfo) -> Order | None:
    """Raises UsageError if the attribute of the order would not be read."""
    if options.order_by is None:
        return None
    if options.attributes is not None:
        names = parse_names(options.names) if options.names is not None else {}
        if options.order_by not in top_names(options.attributes, names):
            raise UsageError(
                f"--order-by {options.order_by} is not among --attributes, so it would not be read", "add it there"
            )
    return Order(options.order_by, tuple(part.name for part in table.key), options.descending)


def _never() -> Discovered:
    raise AssertionError("the columns are named")
