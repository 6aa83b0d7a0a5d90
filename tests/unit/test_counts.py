"""The list of counts: everything that is kept by hand beside it agrees with it, in the code and in the documents."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from checks.docs import RELIABILITY, reliability_page
from ddbio.flow import settlement
from ddbio.job.database import SCHEMA
from ddbio.messages.counts import (
    COUNT,
    COUNTS,
    EXPORT,
    IMPORT,
    NAMES,
    OF_RECORDS,
    RECORDED,
    SPENT,
    VERBS,
    Side,
    Tally,
    equation,
)

CHECKOUT = Path(__file__).parents[2]
TOTALS = re.compile(r"`(read(?: \+ added)? ==? written[^`]*)`")


def test_every_count_is_declared_in_full() -> None:
    for each in COUNTS:
        assert each.meaning
        assert {*each.verbs} <= {*VERBS}
        assert each.verbs
        assert getattr(Tally(), each.name) == 0
        assert type(getattr(Tally(), each.name)) is each.kind


def test_the_equations() -> None:
    assert equation(IMPORT) == "read + added == written + rejected + replaced + skipped + dropped"
    assert equation(EXPORT) == "read + added == written + dropped + left_out"
    assert equation(COUNT) == "read == left_out + counted"


@pytest.mark.parametrize("name", NAMES)
def test_each_count_is_unsettled_or_settles_by_its_side(name: str) -> None:
    (side,) = (each.side for each in COUNTS if each.name == name)
    assert Tally(**{name: 3}).unsettled() == {Side.IN: 3, Side.OUT: -3}.get(side, 0)
    assert Tally(**{name: 3}).moves() == (name in OF_RECORDS)
    assert Tally(**{name: 3}).settles() == (name in OF_RECORDS or name == "units")


def test_a_unit_of_which_only_an_estimate_is_known_has_moved_nothing() -> None:
    assert not Tally(requests=1, units=0.5, estimated=0.5).moves()


@pytest.mark.parametrize("name", NAMES)
def test_every_count_adds_up_and_is_subtracted(name: str) -> None:
    total = Tally(**{name: 5})
    total.add(Tally(**{name: 2}))
    assert total == Tally(**{name: 7})
    assert total.minus(Tally(**{name: 3})) == Tally(**{name: 4})


def test_all_that_is_counted_is_either_settled_or_spent() -> None:
    counts = Tally(**{each: 100 + number for number, each in enumerate(NAMES)})
    assert {*settlement.settled_of(counts), *settlement.spent_of(counts)} == {*range(100, 100 + len(NAMES))}


def test_the_checkpoint_keeps_all_that_an_import_counts() -> None:
    assert {*RECORDED} == {each.name for each in COUNTS if IMPORT in each.verbs or each.name in SPENT}


def test_the_journal_has_a_column_for_each_count() -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA)
    columns = [row[1] for row in database.execute("PRAGMA table_info(units)")]
    database.close()
    assert columns[-len(NAMES) :] == [*NAMES]


def test_the_documents_have_all_counts_and_equations() -> None:
    text = RELIABILITY.read_text()
    assert text == reliability_page(text), "run: python -m checks.docs"


def test_no_document_has_another_equation() -> None:
    right = {equation(verb) for verb in VERBS}
    for path in (*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md")):
        wrong = {*TOTALS.findall(path.read_text())} - right
        assert not wrong, f"{path.name}: {wrong}"
