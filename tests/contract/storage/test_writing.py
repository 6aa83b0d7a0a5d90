"""An output appears whole under its name or not at all, and survives the process that writes it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

import pytest

from ddbio.errors import TransferError, UsageError
from ddbio.messages.files import WrittenFile
from ddbio.storage import Output
from tests.support.places import Place

NAME = "Orders-0000-00000.json"
CHUNK_BYTES = 1_000_000
MAX_BYTES = 1 << 30


def content_for(place: Place) -> bytes:
    return random.Random(place.uri).randbytes(place.many_parts_bytes)


def chunks(content: bytes, start: int = 0) -> Iterable[bytes]:
    return (content[at : at + CHUNK_BYTES] for at in range(start, len(content), CHUNK_BYTES))


def write_until_durable(place: Place, content: bytes, durable_bytes: int = 1) -> tuple[Output, dict[str, Any]]:
    """An output with at least `durable_bytes` durable and its state from then, as the journal would keep it."""
    output = place.storage().create(place.uri, NAME, MAX_BYTES)
    for chunk in chunks(content):
        output.write(chunk)
        if output.durable_bytes >= durable_bytes:
            return output, json.loads(json.dumps(output.state()))
    raise AssertionError("never durable")


def written(place: Place, content: bytes) -> WrittenFile:
    output = place.storage().create(place.uri, NAME, MAX_BYTES)
    for chunk in chunks(content):
        output.write(chunk)
    return output.finish()


@pytest.fixture(params=[0, 1, 100_000], ids=lambda size: f"{size}-bytes")
def small(request: pytest.FixtureRequest) -> bytes:
    return random.Random(1).randbytes(request.param)


def test_a_small_output(place: Place, small: bytes) -> None:
    file = written(place, small)
    assert place.get(NAME) == small
    assert (file.name, file.size_bytes) == (NAME, len(small))
    assert file.checksum.startswith("sha256")
    assert place.everything() == {NAME}


def test_a_large_output(place: Place) -> None:
    content = content_for(place)
    file = written(place, content)
    assert place.get(NAME) == content
    assert file.size_bytes == len(content)
    assert sum(file.part_bytes) == (len(content) if place.storage().remote else 0)
    assert place.everything() == {NAME}


def test_the_bytes_are_counted(place: Place) -> None:
    output = place.storage().create(place.uri, NAME, MAX_BYTES)
    assert output.written_bytes == output.durable_bytes == 0
    for count in range(1, 13):
        output.write(b"x" * CHUNK_BYTES)
        assert output.written_bytes == count * CHUNK_BYTES
        assert 0 <= output.durable_bytes <= output.written_bytes
    assert output.durable_bytes > 0
    output.abort()


def test_nothing_is_visible_before_finish(place: Place) -> None:
    output, _ = write_until_durable(place, content_for(place))
    assert place.get(NAME) is None
    with pytest.raises(UsageError):
        place.storage().list_files(place.uri, (".json",))
    output.finish()
    assert place.get(NAME) is not None


def test_the_previous_file_stays_until_finish(place: Place) -> None:
    place.put(NAME, b"previous")
    output, _ = write_until_durable(place, content_for(place))
    assert place.get(NAME) == b"previous"
    output.finish()
    assert place.get(NAME) == content_for(place)[: output.written_bytes]


def test_abort_leaves_nothing(place: Place) -> None:
    output, _ = write_until_durable(place, content_for(place))
    output.abort()
    assert place.everything() == set()
    output.abort()


def test_abort_leaves_the_previous_file(place: Place) -> None:
    place.put(NAME, b"previous")
    output = place.storage().create(place.uri, NAME, MAX_BYTES)
    output.write(b"new")
    output.abort()
    assert place.get(NAME) == b"previous"


def test_abort_after_finish_takes_nothing_back(place: Place, small: bytes) -> None:
    output = place.storage().create(place.uri, NAME, MAX_BYTES)
    output.write(small)
    output.finish()
    output.abort()
    assert place.get(NAME) == small


def test_a_finished_output_takes_no_more(place: Place) -> None:
    output = place.storage().create(place.uri, NAME, MAX_BYTES)
    output.finish()
    with pytest.raises(ValueError, match=NAME):
        output.write(b"more")
    with pytest.raises(ValueError, match=NAME):
        output.finish()


def test_outputs_side_by_side(place: Place) -> None:
    storage = place.storage()
    outputs = [storage.create(place.uri, f"{number}.json", MAX_BYTES) for number in range(3)]
    for _ in range(5):
        for number, output in enumerate(outputs):
            output.write(b"%d\n" % number)
    for output in outputs:
        output.finish()
    assert [place.get(f"{number}.json") for number in range(3)] == [b"%d\n" % number * 5 for number in range(3)]


def test_an_interrupted_output_goes_on_and_ends_the_same(place: Place) -> None:
    content = content_for(place)
    uninterrupted = written(place, content)
    place.remove(NAME)

    _abandoned, state = write_until_durable(place, content, len(content) // 4)
    output = place.storage().reopen(state)
    assert output.written_bytes == output.durable_bytes >= len(content) // 4
    assert output.state() == state
    for chunk in chunks(content, output.durable_bytes):
        output.write(chunk)
    assert output.finish() == uninterrupted
    assert place.get(NAME) == content
    assert place.everything() == {NAME}


def test_what_was_written_after_the_state_is_cut_off(place: Place) -> None:
    content = content_for(place)
    abandoned, state = write_until_durable(place, content)
    while abandoned.written_bytes < len(content):
        abandoned.write(b"!" * CHUNK_BYTES)
    output = place.storage().reopen(state)
    kept = output.durable_bytes
    output.write(b"the end")
    file = output.finish()
    assert place.get(NAME) == content[:kept] + b"the end"
    assert file.size_bytes == kept + 7


def test_an_output_reopened_before_anything_was_durable(place: Place) -> None:
    place.put(NAME, b"previous")
    state = place.storage().create(place.uri, NAME, MAX_BYTES).state()
    output = place.storage().reopen(state)
    assert output.written_bytes == 0
    output.write(b"all of it")
    assert place.get(NAME) == b"previous"
    output.finish()
    assert place.get(NAME) == b"all of it"


def test_an_output_finished_after_its_state_was_taken(place: Place) -> None:
    """The process died between finishing the file and telling so: what it wrote past the state is repeated."""
    content = content_for(place)
    finished, state = write_until_durable(place, content)
    for chunk in chunks(content, finished.written_bytes):
        finished.write(chunk)
    expected = finished.finish()

    output = place.storage().reopen(state)
    assert place.get(NAME) == content
    for chunk in chunks(content, output.durable_bytes):
        output.write(chunk)
    assert output.finish() == expected
    assert place.get(NAME) == content
    assert place.everything() == {NAME}


def test_an_unfinished_output_that_is_gone(place: Place) -> None:
    output, state = write_until_durable(place, content_for(place))
    output.abort()
    with pytest.raises(TransferError, match=NAME):
        place.storage().reopen(state)


def test_an_unfinished_output_whose_place_another_file_took(place: Place) -> None:
    output, state = write_until_durable(place, content_for(place))
    output.abort()
    place.put(NAME, b"x" * place.many_parts_bytes)
    with pytest.raises(TransferError, match=NAME):
        place.storage().reopen(state)
    assert place.get(NAME) == b"x" * place.many_parts_bytes
    assert {name for name in place.everything() if name.startswith("upload")} == set()


def test_the_state_is_plain_json_with_no_content_in_it(place: Place) -> None:
    _output, state = write_until_durable(place, content_for(place))
    assert len(json.dumps(state)) < 2_000


def test_a_small_file_in_one_step(place: Place) -> None:
    storage = place.storage()
    storage.write_small(place.uri, "manifest.json", b"{}")
    storage.write_small(place.uri + "/", "manifest.json", b'{"files": []}')
    assert place.get("manifest.json") == b'{"files": []}'
    assert place.everything() == {"manifest.json"}


@pytest.mark.parametrize("name", ["", ".", "..", "../x.json", "a/b.json", "/etc/x.json", "a\\b", "a\0b"])
def test_names_that_lead_elsewhere(place: Place, name: str) -> None:
    with pytest.raises(UsageError):
        place.storage().create(place.uri, name, MAX_BYTES)
    with pytest.raises(UsageError):
        place.storage().write_small(place.uri, name, b"")
    assert place.everything() == set()


def test_a_prepared_destination_can_be_written(place: Place) -> None:
    storage, uri = place.storage(), f"{place.uri}/deeper/still"
    storage.prepare_destination(uri)
    storage.prepare_destination(uri)
    storage.write_small(uri, "a.json", b"{}")
    assert place.get("deeper/still/a.json") == b"{}"
