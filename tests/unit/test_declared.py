"""Values for other machines: every job crosses unchanged, and nothing but declared types comes out."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.aws.settings import AwsSettings
from ddbio.cluster import declared_types
from ddbio.cluster.declared import Declared, DecodingError
from ddbio.cluster.declared_types import codec
from ddbio.cluster.travel import Luggage, unpacking
from ddbio.dynamodb.data_plane import DataPlane
from ddbio.dynamodb.wire import Endpoint
from ddbio.errors import InternalError, PermanentAbortError, UsageError
from ddbio.flow.context import JobTable
from ddbio.flow.import_job import ImportJob
from ddbio.formats.csv import CsvLayout
from ddbio.messages import ChunkUnit, ExportCursor, ImportCursor, Reject, SliceUnit, Tally, UnitReport
from ddbio.messages.block import Block
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.sinks.conditional_changes import ConditionalChanges
from ddbio.steps.transform import TransformSpec
from tests.support.tables import table

FILE = SourceFile("/data/\udcffx.json", 12, "v")


def crossed(value: object) -> object:
    return codec().decode(codec().encode(value))


def import_job(**more: object) -> ImportJob:
    plane = DataPlane(Endpoint("https://db", "r", ca_bundle="/etc/ca.pem", proxy_url="http://me:secret@proxy:1"))
    return ImportJob(JobTable(table({"id": "S"}), plane), AwsSettings(profile="mine"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        ChunkUnit(3, FILE, Block(5, b"\x00abc", 2), 9, ImportCursor(6, 1), Tally(read=2, reasons={"x": 1})),
        SliceUnit(0, FILE, 0, 12, format=FormatSpec("csv", CsvLayout(("a",), nulls=("-",)), ("layout", 1))),
        UnitReport(1, ExportCursor("{}", 1, {"size": 3}, 2, (1, 2)), Tally(units=0.5), page=b"x" * 9, done=True),
        UnitReport(1, None, Tally(), (Reject("s", 1, 2, 3, "c", "m", b"r", key={"id": {"S": "1"}}),)),
        import_job(mode=ConditionalChanges, more_tables=(table({"id": "S"}),)),
        {"a": [1, (2, frozenset({"x"})), None, 1.5, float("inf")], 2: datetime(2020, 1, 2, tzinfo=timezone.utc)},
        Path("/a/b"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_crosses_unchanged(value: object) -> None:
    assert crossed(value) == value
    assert type(crossed(value)) is type(value)


class OfOneModule(PermanentAbortError):
    """Not in the table of `ddbio.errors`."""


def test_an_error_crosses_as_the_nearest_one_that_every_machine_knows() -> None:
    there = crossed(UnitReport(1, None, Tally(), error=OfOneModule("words", "hint")))
    assert isinstance(there, UnitReport)
    assert type(there.error) is PermanentAbortError
    assert (there.error.message, there.error.hint) == ("words", "hint")
    fault = crossed(InternalError("fault", "", "the trace", "file:1"))
    assert isinstance(fault, InternalError) and (fault.trace, fault.place) == ("the trace", "file:1")


def test_a_function_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="import_job cannot be sent to workers on other machines"):
        codec().encode({"mode": import_job})


@given(st.binary(max_size=60))
def test_arbitrary_bytes_make_nothing_or_plain_data(data: bytes) -> None:
    try:
        made = codec().decode(data)
    except DecodingError:
        return
    assert not is_dataclass(made) or type(made).__module__.startswith("ddbio.")


@dataclass(frozen=True)
class Secret:
    path: str


def test_a_type_that_was_not_declared_is_not_made() -> None:
    data = Declared([Secret]).encode(Secret("/etc/passwd"))
    with pytest.raises(DecodingError):
        codec().decode(data)


def parts(kind: object) -> Iterator[type]:
    """The dataclasses that a value of this type may contain."""
    for each in typing.get_args(kind):
        yield from parts(each)
    if isinstance(kind, type) and is_dataclass(kind):
        yield kind
        hints = typing.get_type_hints(kind)
        for field in fields(kind):
            if field.init and field.type not in ("Operand",):
                yield from parts(hints[field.name])


def test_all_that_a_job_may_contain_is_declared() -> None:
    missing = {part.__name__ for job in declared_types.jobs() for part in parts(job) if not codec().knows(part)}
    assert missing == set()


# -- what travels with a job


def test_nothing_of_the_drivers_machine_crosses() -> None:
    data = codec().encode(import_job(), Luggage(shares_disk=False).changes())
    for secret in (b"secret", b"ca.pem", b"mine"):
        assert secret not in data


def test_the_file_of_a_function_travels_and_is_found_there(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def f(item): return item\n")
    job, luggage = import_job(transform=TransformSpec(f"{file}:f", {}, frozenset(), {})), Luggage(shares_disk=False)
    data = codec().encode(job, luggage.changes())
    there = tmp_path / "there"
    there.mkdir()
    changes = unpacking(there, luggage.files, profile="theirs", endpoint=lambda endpoint: endpoint)
    opened = codec().decode(data, changes)
    assert opened.aws.profile == "theirs"
    path, _, name = opened.transform.function.rpartition(":")
    assert name == "f" and Path(path).is_relative_to(there)
    assert Path(path).read_text() == file.read_text()


def test_a_folder_of_this_machine_is_refused_unless_all_have_it() -> None:
    with pytest.raises(UsageError, match='"/spill" is a place on this machine'):
        codec().encode({"folder": Path("/spill")}, Luggage(shares_disk=False).changes())
    assert codec().encode({"folder": Path("/spill")}, Luggage(shares_disk=True).changes())
