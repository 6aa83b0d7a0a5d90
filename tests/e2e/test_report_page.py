"""`--report FILE.html` and `ddbio report`: one file that a real browser shows, whatever the job came to."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import FaultPlan, Simulator
from tests.endpoints import Unavailable
from tests.support.browser import Browser, started
from tests.support.commands import CHECKOUT, Commands, Run, Start
from tests.support.environment import missing
from tests.support.items import Item, plain_items, write_items

pytestmark = pytest.mark.fuller

HOSTILE = "</script><img src=x onerror=alert(1)><style>*{display:none}</style>"
DDBIO = (Path("-m"), "ddbio")


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def ddbio(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(*DDBIO, *arguments, **options)


@pytest.fixture
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        with started(tmp_path_factory.mktemp("browser")) as browser:
            yield browser
    except Unavailable as reason:
        missing("a browser", reason)


def drawn(browser: Browser) -> dict[str, Any]:
    """The drawn marks and the texts of each chart, by its id; those of an empty chart are only axes."""
    found: dict[str, Any] = browser.value(
        """Object.fromEntries([...document.querySelectorAll("figure")].map(figure => {
            const box = figure.querySelector("svg").getBoundingClientRect();
            const marks = [...figure.querySelectorAll("svg path")].filter(
                path => /series/.test(path.getAttribute("style")) && path.getBBox().width > 1
                    && getComputedStyle(path).stroke + getComputedStyle(path).fill !== "nonenone");
            return [figure.id, {width: box.width, height: box.height, marks: marks.length,
                                texts: figure.querySelectorAll("svg text").length}];
        }))"""
    )
    return found


def assert_shown(browser: Browser, page: Path, charts: set[str]) -> None:
    """In light and dark and on a phone: nothing is asked for, nothing complains, and all charts have marks."""
    backgrounds = set()
    for dark, width in ((False, 1200), (True, 1200), (False, 360)):
        browser.open(page, dark=dark, width=width)
        assert browser.complaints() == []
        assert browser.requests() == [page.absolute().as_uri()]
        assert browser.value("document.documentElement.scrollWidth") <= width
        shown = drawn(browser)
        assert {*shown} == charts
        for chart in shown.values():
            assert chart["marks"] >= 1 and chart["texts"] >= 4 and chart["width"] > 250 and chart["height"] > 100
        backgrounds.add(browser.value("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2


def test_a_stopped_and_resumed_import_has_one_page_and_its_texts_are_no_markup(
    start_import: Start, ddbio: Run, slow: Simulator, browser: Browser, tmp_path: Path, environment: dict[str, str]
) -> None:
    write_items(tmp_path / "orders.json", plain_items(1500, padding=60))
    (tmp_path / f"more {HOSTILE.replace('/', '')}.json").write_text(
        json.dumps({"Item": {"id": {"N": "1"}, "name": {"S": HOSTILE}}}) + "\n" + HOSTILE + "\n"
    )
    files = sorted(path.name for path in tmp_path.glob("*.json"))
    words = ("-t", "Orders", *(word for name in files for word in ("-s", name)), "-p", "1", "--lanes", "1")
    words += ("-c", "900", "--report", "run.html", "--rejects", "bad.rejects.jsonl")
    with start_import(*words) as command:
        command.until(lambda: slow.table("Orders").item_count() > 500)
        command.process.send_signal(signal.SIGINT)
        assert command.wait().code == 130
    stopped = (tmp_path / "run.html").read_text()
    assert '<p class="state bad">unfinished</p>' in stopped and "ddbio jobs resume import-Orders-" in stopped
    done = ddbio("import", *words)
    assert done.code == 1, done.err
    charts = {"units-0", "items", "items-by-part", "units-by-part", "item-sizes", "latencies"}
    assert_shown(browser, tmp_path / "run.html", charts)
    texts = browser.value("document.body.innerText")
    assert HOSTILE.replace("/", "") in texts and "1,502" in texts and "wrong-key-type" in texts
    assert browser.value("document.querySelectorAll('img, script, iframe').length") == 0
    (folder,) = Path(environment["HOME"]).glob(".local/state/ddbio/import-*")
    made = ddbio("report", folder.name[-12:-4], "-o", "again.html")
    assert (made.code, made.out) == (0, "again.html\n"), made.err
    again, first = ((tmp_path / name).read_text() for name in ("again.html", "run.html"))
    assert [each.count("<figure") for each in (again, first)] == [len(charts)] * 2
    assert "stopped after" in again  # the first run's end
    counted = json.loads((folder / "report.json").read_text())["item_sizes"]
    assert [each["up_to_bytes"] for each in counted] == [128]
    assert 0.9 * 1501 < counted[0]["items"] < 1.3 * 1501  # those that were read twice count twice
    assert environment["AWS_SECRET_ACCESS_KEY"] not in again and environment["AWS_ACCESS_KEY_ID"] not in again


def test_a_finished_export_shows_its_segments_files_and_checksums(
    ddbio: Run, simulator: Simulator, browser: Browser, tmp_path: Path, orders: list[Item]
) -> None:
    simulator.create_table("Orders", "id:S")
    assert ddbio("import", "-t", "Orders", "-s", "orders.json").code == 0
    simulator.faults = FaultPlan(latency_s=0.05)
    done = ddbio("export", "-t", "Orders", "-d", "out", "--segments", "7", "--report", "export.HTML")
    assert done.code == 0, done.err
    assert_shown(
        browser,
        tmp_path / "export.HTML",
        {"units-0", "items", "items-by-part", "units-by-part", "item-sizes", "latencies"},
    )
    page = (tmp_path / "export.HTML").read_text()
    (manifest,) = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*manifest.json")]
    assert all(file["checksum"] in page for file in manifest["files"]), manifest
    assert "ddbio verify out" in page
    # What the sample consumed is in the counts of the job, and the plan is one of the whole job.
    (sampled,) = re.findall(r"A sample of the table was read for export\.HTML: ([0-9.]+) RCU", done.err)
    outcome = r'<td>{}</td><td class="number">([0-9.,]+)</td><td class="number">([0-9.,]+)</td>'
    assert re.findall(outcome.format("items"), page) == [(f"{len(orders):,}",) * 2]
    ((planned, consumed),) = re.findall(outcome.format("capacity units"), page)
    assert float(consumed) == simulator.table("Orders").consumed("read") > float(sampled) > 0
    assert abs(float(consumed) - float(planned)) <= 0.5


def test_a_report_that_cannot_be_made_is_refused_in_a_line(
    ddbio: Run, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    (tmp_path / "notes.html").write_text("<!doctype html>mine")
    command = ("import", "-t", "Orders", "-s", "orders.json", "--report", "notes.html")
    ddbio(*command).assert_one_line_error(2, "notes.html", "not a report", "--report")
    assert simulator.table("Orders").item_count() == 0
    assert ddbio(*command[:-2]).code == 0
    ddbio("report").assert_one_line_error(2, "id", "ddbio jobs")
    ddbio("report", "imp", "-o", "notes.html").assert_one_line_error(2, "notes.html", "--output")
    ddbio("report", "imp", "-o", "gone/a.html").assert_one_line_error(2, "gone")
    ddbio("report", "none").assert_one_line_error(2, "none")
    done = ddbio("report", "imp", "-o", "-")
    assert done.code == 0 and done.out.startswith("<!doctype html>")
