"""The report of a run: there whatever comes of it, private, without secrets; and how many errors are too many."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.errors import DdbioError, Stopped, TransferError, UsageError
from ddbio.job.accounts import Past, Result
from ddbio.job.report import reported
from ddbio.job.report_place import check_report_path
from ddbio.job.state import state_root
from ddbio.messages import Tally
from ddbio.steps.reject_limit import ErrorLimit
from ddbio.storage.output_paths import Protected
from ddbio.verbs.options import ImportOptions


def options(path: Path, **others: Any) -> ImportOptions:
    return ImportOptions(**{"table": "Orders", "sources": ("a.json",), "report": str(path), **others})


def content(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def test_counts_are_of_all_runs_and_of_this_one(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    total = Tally(read=10, written=9, rejected=1, units=9.5, retries=3, reasons={"cut": 2, "crc": 1})
    past = Past(Tally(read=4, written=4, units=4.0, retries=1, reasons={"cut": 1}), 2.0, 1)
    with reported("import", options(path)) as report:
        report.end(Result(total, 5.0, None, past=past, failures=("a: b",)), rejects="x")
    written = content(path)
    assert (written["command"], written["exit_code"], written["error"], written["rejects"]) == (
        "import",
        1,
        None,
        "x",
    )
    assert (written["counts"]["read"], written["counts"]["units"], written["reasons"]) == (10, 9.5, total.reasons)
    assert (written["this_run"]["read"], written["this_run"]["reasons"]) == (6, {"cut": 1, "crc": 1})
    assert {name: written["timing"][name] for name in ("seconds", "seconds_of_all_runs", "runs")} == {
        "seconds": 3.0,
        "seconds_of_all_runs": 5.0,
        "runs": 2,
    }
    assert written["failures"] == ["a: b"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError("no", "do"), 2), (TransferError("no", "do"), 3), (Stopped("no", "do"), 130)]
)
def test_a_run_that_came_to_nothing_is_reported(tmp_path: Path, error: DdbioError, code: int) -> None:
    path = tmp_path / "report.json"
    with pytest.raises(type(error)), reported("import", options(path)):
        raise error
    written = content(path)
    assert (written["exit_code"], written["error"]) == (code, {"message": "no", "hint": "do"})


def test_ctrl_c_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    with pytest.raises(KeyboardInterrupt), reported("import", options(path)):
        raise KeyboardInterrupt
    assert content(path)["exit_code"] == 130


def test_passwords_of_urls_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    aws = AwsSettings(endpoint_url="http://me:secret@with-an-at@127.0.0.1:8000")
    with reported("import", options(path, aws=aws)) as report:
        report.end(Result(Tally(), 0.0, None, failures=("a: no http://me:secret@proxy/",)))
    assert not {"secret", "with-an-at"} & {*re.findall(r"[\w-]+", path.read_text())}
    assert content(path)["failures"] == ["a: no http://proxy/"]
    assert content(path)["options"]["aws"]["endpoint_url"] == "http://127.0.0.1:8000"


def test_a_report_that_cannot_be_written_changes_nothing_of_the_result(tmp_path: Path) -> None:
    result = Result(Tally(read=1, rejected=1), 0.0, None)
    with reported("import", options(tmp_path / "nowhere" / "report.json")) as report:
        told = report.end(result)
    assert (told.exit_code, told.tally, told.error) == (1, result.tally, None)
    (warning,) = told.warnings
    assert "cannot write the report" in warning


def test_a_page_that_cannot_be_drawn_changes_nothing_of_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object) -> bytes:
        raise ImportError("matplotlib is broken")

    monkeypatch.setattr("ddbio.job.page.page_of_run", broken)
    with reported("import", options(tmp_path / "run.html")) as report:
        told = report.end(Result(Tally(read=1, written=1), 0.0, None))
    assert (told.exit_code, told.error, list(tmp_path.iterdir())) == (0, None, [])
    (warning,) = told.warnings
    assert "run.html" in warning and "matplotlib is broken" in warning


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to("report.json")
    with reported("import", options(tmp_path / "link.json")) as report:
        report.end(Result(Tally(), 0.0, None))
    assert content(tmp_path / "report.json")["exit_code"] == 0
    assert (tmp_path / "link.json").is_symlink()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_report_for_standard_output_is_handed_over(capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[bytes] = []
    with reported("import", options(Path("-")), taken.append) as report:
        report.end(Result(Tally(read=5, written=5), 0.0, None))
    with pytest.raises(UsageError), reported("import", options(Path("-")), taken.append):
        raise UsageError("no")
    assert [json.loads(each)["exit_code"] for each in taken] == [0, 2]
    with reported("import", options(Path("-"))) as report:
        report.end(Result(Tally(), 0.0, None))
    assert json.loads(capsys.readouterr().out)["exit_code"] == 0


# --------------------------------------------------------------------------- where it may be


def refused(path: Path | str | None, rejects: str | None = None, **others: Any) -> str:
    asked = options(Path("x"), **others)
    asked = replace(asked, report=None if path is None else str(path))
    try:
        check_report_path(asked, Protected(asked.sources, (".json",), state=state_root(asked.state_dir)), rejects)
    except UsageError as error:
        return str(error)
    return ""


def test_a_report_replaces_nothing_but_an_earlier_one(tmp_path: Path) -> None:
    path, link = tmp_path / "report.json", tmp_path / "link.json"
    assert refused(path) == ""
    path.write_bytes(b"")  # mktemp
    assert refused(path) == ""
    with reported("import", options(path)) as report:
        report.end(Result(Tally(), 0.0, None))
    assert refused(path) == ""
    link.symlink_to(path)
    assert refused(link) == ""
    path.write_text('{"id": "x"}')
    for each in (path, link):
        assert "is not a report: it is not overwritten" in refused(each)


def test_what_is_not_a_place_for_a_report(tmp_path: Path) -> None:
    assert refused("-") == ""
    for place in ("s3://bucket/report.json", ".", str(tmp_path / "gone" / "report.json")):
        assert "give another place with --report" in refused(place)
    assert "where rejects go" in refused(tmp_path / "orders.2.rejects.jsonl")
    assert "where rejects go" in refused(tmp_path / "bad.json", rejects=str(tmp_path / "." / "bad.json"))


def test_the_report_in_the_job_s_folder_is_not_put_among_the_sources(tmp_path: Path) -> None:
    inside = {"sources": (str(tmp_path),), "state_dir": str(tmp_path / "state")}
    assert "--state-dir" in refused(None, **inside)
    assert refused(None, journal=False, **inside) == ""
    assert refused(None, sources=(str(tmp_path / "in"),), state_dir=str(tmp_path / "state")) == ""


# --------------------------------------------------------------------------- --max-errors


@pytest.mark.parametrize(
    ("text", "read", "rejected", "too_many"),
    [
        (None, 10**6, 10**6, False),
        ("0", 10, 0, False),
        ("0", 10, 1, True),
        ("100", 10**6, 100, False),
        ("100", 150, 101, True),
        ("5%", 999, 999, False),  # too few to judge by
        ("5%", 1000, 50, False),
        ("5%", 1000, 51, True),
        ("2.5%", 2000, 50, False),
        ("2.5%", 2000, 51, True),
        ("100%", 5000, 5000, False),
    ],
)
def test_how_many_errors_are_too_many(text: str | None, read: int, rejected: int, too_many: bool) -> None:
    passed = ErrorLimit.parse(text).passed(Tally(read=read, rejected=rejected), "rejects.jsonl")
    assert (passed is not None) == too_many
    if passed is not None:
        assert f"{rejected:,} of the {read:,} records" in passed.message
        assert "rejects.jsonl" in passed.hint


@pytest.mark.parametrize("text", ["", "-1", "five", "5 %", "%", "101%", "1e3", "1.5", "٣"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(UsageError, match="--max-errors"):
        ErrorLimit.parse(text)
