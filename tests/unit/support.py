"""What several unit tests share: strategies for items, time that moves when told, event loops."""

from __future__ import annotations

import asyncio
import base64
import string
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, TypeVar

import uvloop
from hypothesis import strategies as st

from ddbio.flow.context import StopRequested
from ddbio.values.items import AttributeMap
from ddbio.values.table import TableInfo

Result = TypeVar("Result")

# --------------------------------------------------------------------------- event loops

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def run(
    story: Coroutine[Any, Any, Result],
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> Result:
    """Run a coroutine to its end in an event loop of its own. What the loop would only log fails the test."""
    loop = new_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        result = loop.run_until_complete(story)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    assert not complaints
    return result


# --------------------------------------------------------------------------- time


class Clock:
    """Time that moves only when told."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class FakeSleep:
    """Stands for `ddbio.flow.context.Sleeper`: no time passes, but on its clock; remembers the waits.

    stop_after: raise StopRequested at the sleep or check of that number.
    """

    def __init__(self, clock: Clock, stop_after: int | None = None) -> None:
        self.waits: list[float] = []
        self.stopping = False
        self._clock = clock
        self._left = stop_after

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.check()
        self._clock.now_s += seconds
        await asyncio.sleep(0)

    def check(self) -> None:
        if self._left is not None:
            self._left -= 1
            self.stopping = self._left < 0
        if self.stopping:
            raise StopRequested


# --------------------------------------------------------------------------- items

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.one_of(
    st.text(string.ascii_letters, min_size=1, max_size=5),
    st.sampled_from(
        ["$B", "$M", "$SS", "$NS", "$BS", "$x", "$", "a b", '"', "\\", "é", "\U0001f600", "\x00", "M", "S"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5),
)


SPELLINGS: list[Callable[[Decimal], str]] = [str, "{:f}".format, "{:E}".format]


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """The text of a number as the service sends it: plain decimals or exponents, up to 38 digits, in range."""
    digits = str(draw(st.integers(0, 10 ** draw(st.integers(1, 38)) - 1)))
    exponent = draw(st.one_of(st.integers(-6, 6), st.integers(-130, 125 - len(digits) + 1)))
    sign = draw(st.sampled_from(["", "-"]))
    return draw(st.sampled_from(SPELLINGS))(Decimal(f"{sign}{digits}E{exponent}"))  # exact: nothing is computed


BINARIES = st.binary(max_size=7).map(lambda data: base64.b64encode(data).decode())


def sets(members: st.SearchStrategy[str], identity: Callable[[str], object] = str) -> st.SearchStrategy[list[str]]:
    return st.lists(members, min_size=1, max_size=4, unique_by=identity)


SCALARS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    TEXTS.map(lambda text: {"S": text}),
    numbers().map(lambda text: {"N": text}),
    st.booleans().map(lambda truth: {"BOOL": truth}),
    st.just({"NULL": True}),
    BINARIES.map(lambda data: {"B": data}),
    sets(TEXTS).map(lambda members: {"SS": members}),
    sets(numbers(), Decimal).map(lambda members: {"NS": members}),
    sets(BINARIES).map(lambda members: {"BS": members}),
)


def attribute_maps(values: st.SearchStrategy[dict[str, Any]], max_size: int = 4) -> st.SearchStrategy[AttributeMap]:
    return st.dictionaries(NAMES, values, max_size=max_size)


VALUES = st.recursive(
    SCALARS,
    lambda children: st.one_of(
        st.lists(children, max_size=4).map(lambda elements: {"L": elements}),
        attribute_maps(children).map(lambda attributes: {"M": attributes}),
        # maps with a single key, which is where tags could be taken for maps and maps for tags
        attribute_maps(children, max_size=1).map(lambda attributes: {"M": attributes}),
    ),
    max_leaves=12,
)
ITEMS = attribute_maps(VALUES)


def same_item(attributes: AttributeMap) -> Any:
    """Something that is equal for what the service takes for the same item: numbers by value, sets without order."""
    return {name: _same_value(value) for name, value in attributes.items()}


def _same_value(value: dict[str, Any]) -> Any:
    ((letter, payload),) = value.items()
    if letter == "M":
        return letter, same_item(payload)
    if letter == "L":
        return letter, [_same_value(element) for element in payload]
    if letter == "N":
        return letter, Decimal(payload)
    if letter in ("SS", "BS"):
        return letter, frozenset(payload)
    return (letter, frozenset(map(Decimal, payload))) if letter == "NS" else (letter, payload)


def nested(depth: int, kind: str) -> Any:
    """A plain value of lists (`L`) or maps (`M`) in each other, `depth` of them."""
    value: Any = "x"
    for _ in range(depth):
        value = [value] if kind == "L" else {"m": value}
    return value


# --------------------------------------------------------------------------- tables


def table(
    key: dict[str, str],
    index_keys: dict[str, dict[str, str]] | None = None,
    **description: Any,
) -> TableInfo:
    """A table with this key (`{"id": "S", "at": "N"}`: partition key first) and global indexes (name: key)."""
    index_keys = index_keys or {}
    types = {name: letter for each in (key, *index_keys.values()) for name, letter in each.items()}
    return TableInfo.of(
        {
            "TableName": "Orders",
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": letter} for name, letter in types.items()
            ],
            "KeySchema": _schema(key),
            "GlobalSecondaryIndexes": [
                {"IndexName": name, "KeySchema": _schema(each), "Projection": {"ProjectionType": "ALL"}}
                for name, each in index_keys.items()
            ],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            **description,
        }
    )


def _schema(key: dict[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": role} for name, role in zip(key, ("HASH", "RANGE"), strict=False)]
