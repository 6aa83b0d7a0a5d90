"""The options of a read or write by Spark, from keywords or from the texts that `.option(name, value)` gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ddbio.errors import UsageError
from ddbio.library.items import with_place
from ddbio.options import ScanOptions
from ddbio.verbs.options import PutOptions

MODES = ("put", "delete")  # a task that is repeated writes its rows again: `insert` would reject them

_PLACE = ("region", "profile", "endpoint_url")
_SHARED = ("capacity", "over_provisioned", "lanes", "give_up_after_s")
_OF_SCANS = ("consistent_read", "attributes", "filter", "values", "names", "index")
_OF_TASKS = {"processes": 1, "journal": False}


def scan_options(table: str, given: Mapping[str, Any]) -> ScanOptions:
    """Raises UsageError for an option that a read of Spark has not."""
    _check_known(given, (*_PLACE, *_SHARED, *_OF_SCANS))
    return ScanOptions(table=table, **with_place({**given, **_OF_TASKS}))


def put_options(table: str, mode: str, given: Mapping[str, Any]) -> PutOptions:
    """Raises UsageError for an option that a write of Spark has not."""
    if mode not in MODES:
        raise UsageError(f"mode is {mode!r}", f"give one of {', '.join(MODES)}: a task may write its rows again")
    _check_known(given, (*_PLACE, *_SHARED))
    return PutOptions(table=table, mode=mode, **with_place({**given, **_OF_TASKS}))


def typed(texts: Mapping[str, str]) -> dict[str, Any]:
    """The options of `.option(name, value)`, in the types of the keywords. Raises UsageError."""
    return {name: _TYPES.get(name, _text)(name, text) for name, text in ((n.lower(), t) for n, t in texts.items())}


def table_of(options: dict[str, Any]) -> str:
    """The table, taken out of the options: by `table`, or as the path of `load` and `save`. Raises UsageError."""
    table = options.pop("table", None) or options.pop("path", None)
    if not table:
        raise UsageError("no table is named", 'give .option("table", NAME), or load(NAME) and save(NAME)')
    options.pop("path", None)
    return str(table)


def _check_known(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise UsageError(f"there is no option {name!r} here", f"there are {', '.join(sorted(known))}")


def _text(name: str, text: str) -> str:
    return text


def _whole_number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{name} is {text!r}", "give a whole number") from None


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{name} is {text!r}", "give a number") from None


def _truth(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise UsageError(f"{name} is {text!r}", "give true or false")
    return text.lower() == "true"


def _list(name: str, text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


_TYPES: dict[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(("tasks", "partitions", "lanes"), _whole_number),
    **dict.fromkeys(("over_provisioned", "consistent_read", "pushdown"), _truth),
    **dict.fromkeys(("sets", "json"), _list),
    "give_up_after_s": _number,
}
