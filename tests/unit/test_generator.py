"""The generator's data: shape, uniqueness, sizes, distributions, and that a seed decides every byte."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbio.cli.ddbgenerate import parser
from ddbio.errors import UsageError
from ddbio.values.capacity import item_size_bytes
from ddbio.verbs import generate as generator
from ddbio.verbs.datasets import DATASETS, KEYS, SKEWED_KEYS, SORTED_RUN_ITEMS, DataSpec
from ddbio.verbs.generate import FORMATS, generate
from tests.support.effort import examples

LOADER_COLUMNS = ["id", "timestamp", "category", "user_name", "email", "amount", "status", "description"]


@pytest.fixture(autouse=True, scope="module")
def fields_of_400_kb() -> Iterator[None]:
    before = csv.field_size_limit(400 * 1024)  # the csv module's own limit is 128 KiB
    yield
    csv.field_size_limit(before)


def text_of(spec: DataSpec) -> str:
    return b"".join(data for _, data in generate(spec)).decode()


def items_of(spec: DataSpec) -> list[dict[str, Any]]:
    if spec.format == "csv":
        return list(csv.DictReader(io.StringIO(text_of(spec), newline="")))
    return [json.loads(line) for line in text_of(spec).splitlines()]


def assert_uuid4(text: str) -> None:
    parsed = uuid.UUID(text)
    assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)


def in_dynamodb(item: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in item.items()}


def size_by_the_guide(item: dict[str, Any]) -> int:
    """The developer guide's rule: names and strings as UTF-8, numbers one byte for two digits and one more."""
    numbers = {name: value for name, value in item.items() if not isinstance(value, str)}
    strings = {name: value for name, value in item.items() if isinstance(value, str)}
    assert not any(str(value).endswith("0") for value in numbers.values())
    return (
        sum(len(name.encode()) for name in item)
        + sum(len(value.encode()) for value in strings.values())
        + sum(1 + (len(re.sub(r"\D", "", str(value))) + 1) // 2 for value in numbers.values())
    )


def test_lines_are_as_the_original_makes_them() -> None:
    line = text_of(DataSpec(count=1, seed=1))
    a_uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.fullmatch(rf'{{"hash": "{a_uuid}", "range": "{a_uuid}", "val_1": \d+, "val_2": "{a_uuid}"}}\n', line)


def test_values_are_random_uuids_and_numbers_below_2_to_the_31() -> None:
    items = items_of(DataSpec(count=3000, seed=2))
    for item in items:
        for name in ("hash", "range", "val_2"):
            assert_uuid4(item[name])
    numbers = [item["val_1"] for item in items]
    assert 0 <= min(numbers) < 2**31 * 0.01
    assert 2**31 * 0.99 < max(numbers) < 2**31
    assert len({item[name] for item in items for name in ("hash", "range", "val_2")}) == 9000


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("format_", FORMATS)
def test_a_seed_decides_every_byte(dataset: str, keys: str, format_: str) -> None:
    spec = DataSpec(count=500, dataset=dataset, keys=keys, format=format_, seed=7)
    assert text_of(spec) == text_of(spec)
    assert text_of(spec) != text_of(replace(spec, seed=8))
    assert text_of(replace(spec, seed=None)) != text_of(replace(spec, seed=None))


def test_a_seed_means_the_same_bytes_in_every_release() -> None:
    assert text_of(DataSpec(count=1, seed=1)) == (
        '{"hash": "f5b16522-4a58-4791-9f6a-f1d8303e61cd", "range": "c4bb86c3-d1c4-4710-bc34-4c4189eb2f1e", '
        '"val_1": 1063938749, "val_2": "446fcec2-a3d8-4173-a110-e5781bcccea6"}\n'
    )


@settings(max_examples=examples(50), deadline=None)
@given(
    count=st.integers(1, 300),
    dataset=st.sampled_from(sorted(DATASETS)),
    keys=st.sampled_from(sorted(KEYS)),
    format_=st.sampled_from(sorted(FORMATS)),
    item_size_bytes=st.none() | st.integers(300, 5000),
    seed=st.integers(),
)
def test_any_spec_gives_its_count_of_items_with_its_attributes(
    count: int, dataset: str, keys: str, format_: str, item_size_bytes: int | None, seed: int
) -> None:
    spec = DataSpec(count, dataset, format_, keys, item_size_bytes, seed)
    items = items_of(spec)
    names = [*DATASETS[dataset], *["pad"] * (item_size_bytes is not None)]
    assert len(items) == count == sum(block_items for block_items, _ in generate(spec))
    assert all(list(item) == names for item in items)
    if item_size_bytes is not None:
        assert {item_size_bytes} == {size_by_the_guide(item) for item in items}
        assert {item_size_bytes} == {item_size_bytes_of(item) for item in items}


def item_size_bytes_of(item: dict[str, Any]) -> int:
    return item_size_bytes(in_dynamodb(item))


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("dataset", DATASETS)
def test_item_sizes_reach_from_the_named_minimum_to_400_kb(dataset: str, format_: str) -> None:
    spec = DataSpec(count=200, dataset=dataset, format=format_, seed=3)
    with pytest.raises(UsageError, match=r"from (\d+) to 409,600 bytes") as too_small:
        generate(replace(spec, item_size_bytes=1))
    minimum = int(re.search(r"from (\d+)", str(too_small.value)).group(1))  # type: ignore[union-attr]
    with pytest.raises(UsageError):
        generate(replace(spec, item_size_bytes=minimum - 1))
    with pytest.raises(UsageError):
        generate(replace(spec, item_size_bytes=400 * 1024 + 1))
    for size_bytes, count in ((minimum, 200), (400 * 1024, 3)):
        items = items_of(replace(spec, count=count, item_size_bytes=size_bytes))
        assert {item_size_bytes_of(item) for item in items} == {size_bytes}
        assert min(len(item["pad"]) for item in items) >= 1


def test_sorted_keys_ascend_in_runs() -> None:
    items = items_of(DataSpec(count=1005, keys="sorted", seed=4))
    keys = [item["hash"] for item in items]
    assert keys == sorted(keys)
    assert list(Counter(keys).values()) == [SORTED_RUN_ITEMS] * 100 + [5]
    assert keys[0] < "1" and keys[-1] > "f"  # spread over all UUIDs, so over all partitions
    assert len({(item["hash"], item["range"]) for item in items}) == 1005
    for key in keys:
        assert_uuid4(key)


def test_skewed_keys_follow_zipfs_law() -> None:
    items = items_of(DataSpec(count=50_000, keys="skewed", seed=5))
    counts = [count for _, count in Counter(item["hash"] for item in items).most_common()]
    assert 1000 < len(counts) <= SKEWED_KEYS
    assert counts[0] == pytest.approx(50_000 * 0.0753, rel=0.1)  # ln 2 / ln 10,000
    assert counts[0] / counts[9] == pytest.approx(10 * 0.73, rel=0.25)  # ln 2 / ln 1.1
    assert len({(item["hash"], item["range"]) for item in items}) == 50_000
    for item in items[:100]:
        assert_uuid4(item["hash"])


@pytest.mark.parametrize("keys", KEYS)
def test_the_timestamp_tells_items_of_the_loader_apart(keys: str) -> None:
    items = items_of(DataSpec(count=5000, dataset="loader", keys=keys, seed=6))
    timestamps = [item["timestamp"] for item in items]
    assert timestamps == sorted(set(timestamps))
    assert (timestamps[0], timestamps[-1]) == ("2025-01-01T00:00:00.000Z", "2025-01-01T00:00:49.990Z")


def test_loader_values_are_plausible() -> None:
    for item in items_of(DataSpec(count=2000, dataset="loader", seed=7)):
        assert list(item) == LOADER_COLUMNS
        assert_uuid4(item["id"])
        assert item["email"] == item["user_name"].replace("_", ".") + "@example.com"
        assert 100 < item["amount"] < 1000


def test_csv_has_a_header_and_quotes_what_needs_it() -> None:
    text = text_of(DataSpec(count=2000, dataset="loader", format="csv", seed=8))
    assert text.splitlines()[0] == ",".join(LOADER_COLUMNS)
    descriptions = {item["description"] for item in csv.DictReader(io.StringIO(text))}
    assert any("," in description for description in descriptions)
    assert any('"' in description for description in descriptions)
    assert not any(description.startswith('"') for description in descriptions)


def test_csv_and_json_hold_the_same_values() -> None:
    spec = DataSpec(count=700, dataset="loader", seed=9)
    as_text = [{name: str(value) for name, value in item.items()} for item in items_of(spec)]
    assert items_of(replace(spec, format="csv")) == as_text


def test_blocks_do_not_show_in_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = DataSpec(count=2501, keys="sorted", seed=10)
    monkeypatch.setattr(generator, "BLOCK_BYTES", 1000)
    blocks = list(generate(spec))
    assert len(blocks) > 100
    assert sum(items for items, _ in blocks) == 2501
    keys = [json.loads(line)["hash"] for _, data in blocks for line in data.splitlines()]
    assert keys == sorted(keys)
    assert set(Counter(keys).values()) == {10, 1}


def test_the_command_offers_what_the_generator_has() -> None:
    choices = {action.dest: action.choices for action in parser()._actions if action.choices}
    assert {name: sorted(values) for name, values in choices.items()} == {
        "dataset": sorted(DATASETS),
        "format": sorted(FORMATS),
        "keys": sorted(KEYS),
    }
