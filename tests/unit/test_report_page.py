"""The page of a job: its charts and tables, from which numbers; hostile texts stay texts; it is never large."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import UsageError
from ddbio.forecast.forecast import Amount, Demand, Forecast
from ddbio.forecast.prices import bundled
from ddbio.report_page import kind, page
from ddbio.report_page.charts import AVERAGED_S, MOST_BARS, Chart, charts, percentile_ms
from ddbio.report_page.facts import JobFacts, RejectsOfCode, Report, Table, Why
from ddbio.report_page.history import MOST_ROWS, File, History, Part, RunOfJob, Sample, SideSample
from ddbio.report_page.shapes import Bars, Curves
from ddbio.report_page.stages import joined
from ddbio.report_page.tables import tables
from ddbio.report_page.thinning import MOST

HOSTILE = "</script></style>--><img src=x onerror=alert(1)>\"'&$x^2$ \u202e"
JOB = JobFacts(id="import-Orders-3f2a9c0b1d4e", verb="import", table="Orders", state="unfinished")


def sample(run: int = 1, seconds: float = AVERAGED_S, read: int = 0, **others: Any) -> Sample:
    sides = others.pop("sides", [SideSample(float(read), 500.0, 400.0)])
    values = {"written": read, "rejected": 0, "throttled": 0, "retries": 0, **others}
    return Sample(run, 0.0, seconds, read, sides=sides, **values)


def by_id(history: History, *kinds: str) -> dict[str, Chart]:
    return {chart.id: chart for chart in charts(history, kinds)}


def curves(chart: Chart) -> Curves:
    assert isinstance(chart.drawing, Curves)
    return chart.drawing


def bars(chart: Chart) -> Bars:
    assert isinstance(chart.drawing, Bars)
    return chart.drawing


# ----------------------------------------------------------------------------- charts


def test_rates_are_per_second_and_the_limits_are_shown_beside_them() -> None:
    history = History(sides=["target"], samples=[sample(1, 4, 40), sample(1, 8, 40), sample(2, 4, 20)])
    shown = by_id(history, "WCU")
    drawn = curves(shown["units-0"])
    assert [(line.name, line.values, line.dashed) for line in drawn.lines] == [
        ("WCU/s", [10.0, 5.0, 5.0], False),
        ("rate in force", [400.0] * 3, False),
        ("cap", [500.0] * 3, True),
    ]
    assert (drawn.ends_s, drawn.marks_s) == ([4, 12, 16], [12])
    assert [line.name for line in curves(shown["items"]).lines] == ["read", "written"]
    assert {*shown} == {"units-0", "items"}


def test_short_samples_are_averaged_with_their_neighbours_of_the_same_run() -> None:
    history = History(sides=["target"], samples=[sample(1, 1, n) for n in (0, 10, 0, 10, 0)] + [sample(2, 1, 100)])
    (line, *_) = curves(by_id(history)["units-0"]).lines
    assert line.values[2] == 4.0  # of all five, and none of the other run
    assert line.values[5] == 100.0
    assert all(value is not None and value <= 10 for value in line.values[:5])


def test_two_tables_have_a_chart_each_and_no_cap_is_said_so() -> None:
    sides = [SideSample(8.0, None, None), SideSample(4.0, 10.0, 10.0)]
    shown = by_id(History(sides=["source", "target"], samples=[sample(sides=sides)]), "RCU", "WCU")
    first, second = shown["units-0"], shown["units-1"]
    assert [line.name for line in curves(first).lines] == ["RCU/s"]
    assert "no cap" in first.note
    assert curves(second).lines[0].values == [1.0]
    assert ("source" in first.title, "target" in second.title) == (True, True)


def test_reasons_are_stacked_the_most_frequent_first_and_the_rest_together() -> None:
    reasons = {name: number for number, name in enumerate("abcdefg", 1)}
    (chart,) = [each for each in charts(History(samples=[sample(reasons=reasons)]), ()) if each.id == "troubles"]
    lines = curves(chart).lines
    assert [line.name for line in lines] == ["g", "f", "e", "d", "c", "others"]
    assert sum(value or 0 for line in lines for value in line.values) * AVERAGED_S == 28
    assert curves(chart).stacked


def test_a_job_in_stages_is_one_course_and_empty_parts_are_left_out() -> None:
    part = Part("0", None, True, 5, 0, 0, 2.0)
    samples = [sample(1, 4, 8, sides=[SideSample(3.0, 1.0, 1.0), SideSample(1.0, 9.0, 9.0)])]
    first = History(runs=[RunOfJob(1, 10.0, 4.0, 0)], samples=samples, parts=[part], counts={"read": 8}, seconds=4.0)
    none = msgspec.structs.replace(part, read=0, units=0.0)
    second = msgspec.structs.replace(first, runs=[RunOfJob(1, 5.0, 4.0, 130, "stopped")], parts=[none, part])
    whole = joined({"second": first, "first": second})
    assert [(run.number, run.why) for run in whole.runs] == [
        (1, "stage first: stopped"),
        (2, "stage second: finished"),
    ]
    assert [(each.run, each.units, len(each.sides)) for each in whole.samples] == [(1, 4.0, 1), (2, 4.0, 1)]
    assert ([each.name for each in whole.parts], whole.counts, whole.seconds) == (
        ["first 0", "second 0"],
        {"read": 16},
        8.0,
    )
    chart = by_id(whole, "RCU")["units-0"]
    assert (chart.note, [line.name for line in curves(chart).lines]) == ("", ["units/s"])


@given(st.lists(st.integers(0, 50), min_size=4, max_size=4), st.floats(0.01, 1))
def test_a_percentile_is_within_the_class_that_has_it(counts: list[int], share: float) -> None:
    bounds = [0.001, 0.01, 0.1]
    found = percentile_ms(bounds, counts, share)
    if not sum(counts):
        assert found is None
        return
    assert found is not None
    below = [sum(counts[: at + 1]) for at in range(3)]
    at = next((at for at, number in enumerate(below) if counts[at] and number >= share * sum(counts)), None)
    low, high = (100, 100) if at is None else ([0, 1, 10][at], [1, 10, 100][at])
    assert low <= found <= high * 1.000001


def test_parts_are_bars_and_the_largest_of_too_many() -> None:
    parts = [Part(f"/in/{n}.json", 1, True, n, n, n % 2, float(n)) for n in range(MOST_BARS + 9)]
    shown = by_id(History(parts=parts, parts_are="file"))
    items = bars(shown["items-by-part"])
    assert len(items.names) == MOST_BARS
    assert items.names[0] == f"{MOST_BARS + 8}.json"
    assert [line.name for line in items.series] == ["read", "rejected"]
    assert f"{MOST_BARS + 9}" in shown["items-by-part"].note
    assert "units-by-part" in shown
    assert by_id(History(parts=parts[:1])) == {}


def test_indexes_and_sizes_are_shown_if_they_are_known() -> None:
    shown = by_id(History(by_index={"byDate": 7.0}, item_sizes=[(512, 3), (1024, 0), (2048, 9)]))
    assert (bars(shown["units-by-index"]).names, bars(shown["item-sizes"]).names) == (
        ["byDate"],
        ["≤ 512 B", "≤ 1 KiB", "≤ 2 KiB"],
    )


# ----------------------------------------------------------------------------- tables


def rows(report: Report, history: History) -> dict[str, list[list[str]]]:
    return {table.title: [[*row] for row in table.rows] for table in tables(report, history)}


def outcome(history: History) -> tuple[dict[str, list[str]], str]:
    (table,) = [table for table in tables(Report(), history) if table.title == "Plan and outcome"]
    return {row[0]: [*row[1:]] for row in table.rows}, table.note


def test_what_was_planned_is_beside_what_happened_and_the_unknown_is_said() -> None:
    demand = Demand(
        *("Orders", "us-east-1", "target", "WCU"),
        items=Amount.exact(5),
        units=Amount(1e6, 9e5, 2e6),
        by_index={"x": Amount.exact(5)},
        cap_units_per_s=100_000,
    )
    plan = Forecast((demand,), seconds=Amount.exact(12.0), held_by="the cap")
    history = History(forecast=plan.as_json(), counts={"read": 4, "units": 2e6}, seconds=16.25)
    found, note = outcome(history)
    assert found["items"] == ["5", "4"]
    assert found["capacity units"] == ["1,000,005 (900,005 to 2,000,005)", "2,000,000"]
    assert found["working time"] == ["12.0 s", "16.2 s"]
    price = bundled().find("us-east-1", "million_write_units")
    assert price is not None and str(price.date) in note and "the cap" in note
    assert found["cost"][1] == f"${2 * price.usd:,.2f}"
    assert found["cost"][0].endswith(f" to ${2 * price.usd:,.2f})")
    reads = Demand("Orders", "us-east-1", "source", "RCU", items=Amount.exact(9), units=Amount.exact(70.0))
    both = replace_plan(history, replace(plan, demands=(reads, demand)).as_json())
    found, _ = outcome(msgspec.structs.replace(both, counts={"read": 9, "units": 2e6 + 60, "target_units": 2e6}))
    assert found["RCU of Orders"] == ["70", "60"]
    assert found["WCU of Orders"][1] == "2,000,000" and found["items"] == ["9", "9"]
    assert found["cost"][1] == f"${2 * price.usd:,.2f}"  # the reads cost less than a cent
    compared = replace_plan(history, replace(plan, demands=(reads, reads)).as_json())
    found, _ = outcome(compared)
    assert (found["capacity units"], found["items"], found["cost"][1]) == (
        ["140", "2,000,000"],
        ["18", "4"],
        "unknown",
    )
    found, note = outcome(replace_plan(both, replace(plan, demands=(reads, demand), planning_units=2.5).as_json()))
    assert found["RCU of Orders"][0] == "72.5" and "2.5 units of the sample" in note
    provisioned = replace(plan, demands=(replace(demand, billing="provisioned", units=None),))
    unknown, _ = outcome(replace_plan(history, provisioned.as_json()))
    assert (unknown["capacity units"], unknown["cost"]) == (["unknown", "2,000,000"], ["unknown", "unknown"])
    for none in (None, {"demands": 7}):
        found, note = outcome(replace_plan(history, none))
        assert [row[0] for row in found.values()] == ["unknown"] * 4
        assert "kept no plan" in note


def replace_plan(history: History, forecast: dict[str, Any] | None) -> History:
    return msgspec.structs.replace(history, forecast=forecast)


def test_runs_rejects_files_and_options_are_rows() -> None:
    report = Report(
        rejects="bad.jsonl",
        rejects_by_code={"bad-json": RejectsOfCode(3, {"source": "a.json", "line": 7, "message": "no JSON"})},
        options={"table": "Orders", "fresh": False, "aws": {"region": "eu-west-1", "profile": None}},
    )
    history = History(
        runs=[RunOfJob(1, 0.0, 61.0), RunOfJob(2, 90.0, 2.0, 130, "stopped")],
        samples=[sample(1, 1, 5), sample(2, 1, 7)],
        files=[File("0.json", 5, 70, "sha256:aa")],
        all_files=1201,
    )
    found = rows(report, history)
    assert found["Rejects, by code"] == [["bad-json", "3", "a.json line 7", "no JSON"]]
    assert found["Runs"] == [
        ["1", "1970-01-01 00:00:00 UTC", "0:01:01", "5", "", "killed, or still running"],
        ["2", "1970-01-01 00:01:30 UTC", "2.0 s", "7", "130", "stopped"],
    ]
    assert found["Files written"] == [["0.json", "5", "70", "sha256:aa"]]
    assert found["Options"] == [["table", "Orders"], ["aws.region", "eu-west-1"]]
    (files,) = [table for table in tables(report, history) if table.title == "Files written"]
    assert "1,200 more" in files.note


# ----------------------------------------------------------------------------- the page


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def full(text: str) -> tuple[JobFacts, Report, History]:
    """Everything a page can show, each text of it the same, and as much of it as there can be."""
    job = JobFacts(id=text, verb=text, table=text, state=text, command=text)
    code = RejectsOfCode(1, {"source": text, "key": {"id": {"S": text}}, "message": text})
    report = Report(
        tool=text,
        command=text,
        exit_code=3,
        error=Why(text, text),
        failures=[text],
        table=Table(text, text, text, text),
        counts={"read": 1},
        reasons={text: 2},
        options={text: text, "inner": {text: [text]}},
        versions={text: text},
        rejects=text,
        rejects_by_code={text: code},
    )
    samples = [sample(at // 200, 1.0, at, reasons={text: 1, "other": 2}, latencies=[1, 2]) for at in range(MOST)]
    history = History(
        sides=["target"],
        runs=[RunOfJob(at, 0.0, 1.0, 3, text) for at in range(3)],
        samples=samples,
        parts=[Part(text, 1, True, 3, 3, 1, 3.0)] * MOST_ROWS,
        parts_are="file",
        files=[File(text, 1, 1, text)] * MOST_ROWS,
        all_files=MOST_ROWS,
        latency_bounds=[0.01],
        by_index={text: 1.0, "b": 2.0},
        item_sizes=[(128, 1), (1024, 4)],
    )
    return job, report, history


@cache
def harmless_page() -> bytes:
    return page.render(*full("x" * len(HOSTILE)))


def test_hostile_texts_make_no_markup_and_the_page_is_never_large() -> None:
    hostile = page.render(*full(HOSTILE))
    harmless = harmless_page()
    assert hostile.startswith(kind.BEGINNING)
    assert len(hostile) < 2_000_000
    ours, theirs = (Elements(each.decode()) for each in (hostile, harmless))
    assert ours.tags == theirs.tags
    assert not {"script", "img", "link", "iframe", "object", "base", "form"} & {*ours.tags}
    assert not [name for name, _ in ours.attributes if name.startswith("on")]
    outside = [value for name, value in ours.attributes if name in ("href", "src", "xlink:href", "action")]
    assert outside and all(value is not None and value.startswith("#") for value in outside)
    assert "url(http" not in hostile.decode() and "@import" not in hostile.decode()
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in ours.attributes


def test_every_chart_is_an_element_of_its_own_whose_colours_follow_the_theme() -> None:
    text = harmless_page().decode()
    elements = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(elements) == len(re.findall("<figure", text)) == 8
    ids: list[str] = []
    for element in elements:
        root = ElementTree.fromstring(element)
        ids += [found for each in root.iter() if (found := each.get("id"))]
        assert "var(--series-1)" in element
        assert not re.search(r"#0[1-3]0[1-4]0", element)
    assert len(ids) == len({*ids})


def test_a_command_that_was_refused_has_a_page_too() -> None:
    report = msgspec.json.decode(
        b'{"exit_code": 2, "error": {"message": "no such table", "hint": "check it"}}', type=Report
    )
    text = page.render(JobFacts(verb="count", table="T", state="refused"), report, None).decode()
    assert "no such table" in text and "check it" in text and "<figure" not in text and "outcome" not in text


def test_the_next_step_fits_the_job() -> None:
    def steps(exit_code: int, **others: Any) -> str:
        return page.render(JOB, Report(exit_code=exit_code, **others), None).decode().partition("<main>")[2]

    assert f"ddbio jobs resume {JOB.id}" in steps(130)
    assert "ddbio import -t Orders -s &#39;my bad.jsonl&#39;" in steps(1, rejects="my bad.jsonl")


def test_without_the_extra_the_reason_is_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kind.check_installed()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install 'ddbio\[report\]'"):
        kind.check_installed()
