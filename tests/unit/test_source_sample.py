"""A sample of an import's files: exact for small ones, close for large ones, wide if only a beginning was seen."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.forecast.forecast import Amount
from ddbio.forecast.source_sample import SourceSample, sample_sources
from ddbio.formats import data_suffixes
from ddbio.formats.declaration import Known
from ddbio.sources.detect import detect
from ddbio.sources.find import find_sources
from ddbio.steps.records import Record
from ddbio.storage import Storages

Write = Callable[[Path, list[dict[str, object]]], object]


def rows(count: int, size_bytes: int = 100, seed: int = 0) -> list[dict[str, object]]:
    rng = random.Random(seed)
    noise = rng.randbytes(4 * size_bytes).hex()
    starts = [rng.randrange(4 * size_bytes) for _ in range(count)]
    return [
        {"id": f"{number:08}", "pad": noise[start : start + rng.randrange(1, 2 * size_bytes)]}
        for number, start in enumerate(starts)
    ]


def lines(path: Path, items: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(item) + "\n" for item in items))


def packed_lines(path: Path, items: list[dict[str, object]]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(item) + "\n" for item in items).encode(), 1))


def one_array(path: Path, items: list[dict[str, object]]) -> None:
    path.write_text(json.dumps(items, indent=1))


def csv(path: Path, items: list[dict[str, object]]) -> None:
    path.write_text("id,pad\n" + "".join(f'{item["id"]},"{item["pad"]}"\n' for item in items))


def parquet(path: Path, items: list[dict[str, object]]) -> None:
    pyarrow, files = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pyarrow.Table.from_pylist(items)
    files.write_table(table, path, row_group_size=10_000, compression="none", use_dictionary=False)


def weigh(record: Record) -> Mapping[str, float]:
    if record.error is not None:
        return {"bad": 1.0}
    return {"items": 1.0, "pads": float(len(record.items[0]["pad"]["S"]))}


def sampled(*paths: Path) -> SourceSample:
    storages = Storages(AwsSettings())
    found = find_sources([str(path) for path in paths], data_suffixes(), storages)
    sources = detect(found.files, Known(), storages.read_range).sources
    sample = sample_sources(sources, storages, weigh)
    assert sample is not None
    return sample


@pytest.mark.parametrize(
    "name, write",
    [("a.jsonl", lines), ("a.json.gz", packed_lines), ("a.json", one_array), ("a.csv", csv), ("a.parquet", parquet)],
)
def test_small_files_of_all_kinds_are_counted(tmp_path: Path, name: str, write: Write) -> None:
    items = rows(500)
    write(tmp_path / name, items)
    sample = sampled(tmp_path / name)
    assert sample.is_whole
    assert sample.total("items") == Amount.exact(500)
    assert sample.total("pads") == Amount.exact(sum(len(str(item["pad"])) for item in items))
    assert sample.total("bad") == Amount.exact(0)


@pytest.mark.parametrize("name, write", [("a.jsonl", lines), ("a.csv", csv), ("a.parquet", parquet)])
def test_large_files_that_are_sorted_by_size_are_estimated_within_bounds(
    tmp_path: Path, name: str, write: Write
) -> None:
    items = sorted(rows(60_000, 150), key=lambda item: len(str(item["pad"])))
    write(tmp_path / name, items)
    sample = sampled(tmp_path / name)
    assert not sample.is_whole
    for sum_name, actual in (("items", 60_000), ("pads", sum(len(str(item["pad"])) for item in items))):
        amount = sample.total(sum_name)
        assert amount.low <= actual <= amount.high, (sum_name, amount)
        assert amount.likely == pytest.approx(actual, rel=0.11)
        assert sample.only_heads or amount.high < 1.2 * amount.likely
    assert sample.seen("items") < 60_000


def test_the_beginning_of_a_large_packed_file_has_wide_bounds(tmp_path: Path) -> None:
    rng = random.Random(3)
    small = [{"id": f"{number:08}", "pad": rng.randbytes(20).hex()} for number in range(20_000)]
    large = [{"id": f"{number:08}", "pad": rng.randbytes(1500).hex()} for number in range(600)]
    packed_lines(tmp_path / "a.json.gz", [*small, *large])
    sample = sampled(tmp_path / "a.json.gz")
    items = sample.total("items")
    assert sample.only_heads and items.high >= 1.9 * items.likely and items.low <= 0.6 * items.likely


def test_files_of_another_kind_are_not_missed(tmp_path: Path) -> None:
    for number in range(20):
        lines(tmp_path / f"{number:02}.jsonl", rows(3000, 1000 if number == 13 else 60, number))
    sample = sampled(tmp_path)
    assert not sample.is_whole
    assert sample.total("items").low <= 60_000 <= sample.total("items").high
