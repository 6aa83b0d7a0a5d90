"""Where a report may be written: it harms no source, no output and no other file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ddbio.errors import UsageError
from ddbio.options import STDOUT, TransferOptions
from ddbio.report_page import kind
from ddbio.storage import absolute
from ddbio.storage.names import REJECTS_SUFFIX
from ddbio.storage.output_paths import Protected, check_output_path

_BEGINNINGS = (b'{\n  "version": 1,\n  "tool": "ddbio ', kind.BEGINNING)
_LONGEST = max(map(len, _BEGINNINGS))
_ELSEWHERE = "give another place with --report"


def check_report_path(options: TransferOptions, protected: Protected, rejects: str | None = None) -> None:
    """Raise UsageError if the report must not be written to the given path. rejects: the path given for those.

    In addition to `check_output_path`'s refusals: an existing file that is not a report is not overwritten.
    """
    asked = options.report
    _check_own_place(options, protected)
    if asked is None or asked == STDOUT:
        return
    if "://" in asked or asked.endswith(REJECTS_SUFFIX) or (rejects and absolute(rejects) == absolute(asked)):
        what = "is no path" if "://" in asked else "is where rejects go"
        raise UsageError(f'a report cannot be written to "{asked}": it {what}', _ELSEWHERE)
    if is_page(Path(asked)):
        kind.check_installed()
    check_output_path(Path(asked), "a report", "--report", protected)
    check_replaceable(Path(asked), _ELSEWHERE)


def _check_own_place(options: TransferOptions, protected: Protected) -> None:
    """The folder of a job contains its report: among sources, the next import would take it for one."""
    if not options.journal or protected.state is None:
        return
    if why := dataclasses.replace(protected, state=None).why_not(protected.state / "job" / "report.json"):
        raise UsageError(f"the report in the folder of this job's state {why}", "give another place with --state-dir")


def is_page(path: Path) -> bool:
    """Whether a report at this path is a page for people, and not JSON."""
    return path.suffix.lower() in (".html", ".htm")


def check_replaceable(path: Path, hint: str) -> None:
    """Raise UsageError if overwriting the file would lose something: it exists, is not empty, and is no report."""
    try:
        with path.open("rb") as file:
            beginning = file.read(_LONGEST)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f'"{path}" cannot be read: {error.strerror}', hint) from None
    if beginning and not beginning.startswith(_BEGINNINGS):
        raise UsageError(f'"{path}" exists and is not a report: it is not overwritten', hint)
