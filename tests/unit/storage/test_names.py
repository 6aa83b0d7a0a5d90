"""What is data, what is not, and how globs match: pure."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import UsageError
from ddbio.storage.names import (
    Glob,
    PassedOver,
    check_output_name,
    has_magic,
    is_data_file,
    is_data_path,
    or_list,
)

SUFFIXES = (".json", ".json.gz")


@pytest.mark.parametrize(
    "name",
    [
        "a.json",
        "A.JSON",
        "a.json.gz",
        "Orders-0000-00000.json",
        "_T-0000-00000.json.gz",
        "a.rejects.json",
        "manifest.json",
    ],
)
def test_data(name: str) -> None:
    assert is_data_file(name, SUFFIXES)


@pytest.mark.parametrize(
    "name",
    [
        "a.csv",
        ".a.json",
        "_a.json",
        "_manifest.json",
        "manifest-files.json",
        "manifest-summary.json",
        "json",
        "_SUCCESS",
    ],
)
def test_not_data(name: str) -> None:
    assert not is_data_file(name, SUFFIXES)
    assert not is_data_file("Orders.rejects.jsonl", (".jsonl",))


def test_a_hidden_folder_hides_what_is_in_it() -> None:
    assert is_data_path(["x", "a.json"], SUFFIXES)
    assert not is_data_path([".x", "a.json"], SUFFIXES)
    assert not is_data_path(["x", "_temporary", "0", "a.json"], SUFFIXES)


@pytest.mark.parametrize("name", ["a.json", "...", "..a", "-", "a b"])
def test_output_names(name: str) -> None:
    assert check_output_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "/", "/a", "a/", "../a", "a\\b", "\0"])
def test_output_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(UsageError):
        check_output_name(name)


@pytest.mark.parametrize(
    ("pattern", "root", "prefix", "parts"),
    [
        ("/data/*.json", "/data/", "/data/", ("*.json",)),
        ("/data/part-*/x.json", "/data/", "/data/part-", ("part-*", "x.json")),
        ("part-?", "", "part-", ("part-?",)),
        ("/data/**", "/data/", "/data/", ("**", "*")),
        ("a/b[1]/", "a/", "a/b", ("b[1]",)),
    ],
)
def test_parsing(pattern: str, root: str, prefix: str, parts: tuple[str, ...]) -> None:
    glob = Glob.parse(pattern)
    assert (glob.root, glob.prefix, glob.parts) == (root, prefix, parts)
    assert glob.folders_only == pattern.endswith("/")


@pytest.mark.parametrize(
    ("pattern", "path", "taken"),
    [
        ("*.json", "a.json", True),
        ("*.json", "x/a.json", False),
        ("*", "x/a.json", True),
        ("*", "x/a.txt", False),
        ("*", "a.txt", True),
        ("*/", "a.json", False),
        ("*/", "x/a.json", True),
        ("**/a.json", "a.json", True),
        ("**/a.json", "x/y/z/a.json", True),
        ("**/a.json", "x/.y/a.json", False),
        ("**/x/**/a.json", "w/x/y/z/a.json", True),
        ("**", "x/a.txt", True),
        ("*", ".a.json", False),
        (".*", ".a.json", True),
        ("*", "_SUCCESS", False),
        ("_*", "_SUCCESS", True),
        ("**/a.json", "_x/a.json", False),
        ("*", "manifest-files.json", False),
        ("*.json", "x.json/manifest-files.json", False),
        ("manifest-files.jso[n]", "manifest-files.json", False),
        ("*/manifest-files.json", "x/manifest-files.json", True),
    ],
)
def test_matching(pattern: str, path: str, taken: bool) -> None:
    assert Glob.parse(pattern).takes(tuple(path.split("/")), SUFFIXES) is taken


@given(st.text("ab*?", min_size=1, max_size=6), st.text("ab", min_size=1, max_size=6))
def test_one_component_matches_as_fnmatch_does(pattern: str, name: str) -> None:
    assert Glob.parse(pattern).takes((name,), ()) == fnmatchcase(name, pattern)


@given(st.text("ab/*", min_size=1, max_size=8), st.text("ab/", min_size=1, max_size=8))
def test_what_a_glob_takes_begins_with_its_prefix(pattern: str, key: str) -> None:
    glob = Glob.parse(pattern)
    below = key.removeprefix(glob.root) if key.startswith(glob.root) else None
    if below and has_magic(pattern) and glob.takes(tuple(below.split("/")), ("",)):
        assert key.startswith(glob.prefix)


def test_what_is_passed_over_is_one_line() -> None:
    passed_over = PassedOver()
    assert list(passed_over.describe(())) == []
    for name in ("z.txt", "_SUCCESS", "sub/_manifest.json"):
        passed_over.add(f"/in/{name}", name)
    assert list(passed_over.describe(())) == ["passed over 2 files: _SUCCESS, z.txt"]
    assert list(passed_over.describe({"/in/z.txt"})) == ["passed over 1 file: _SUCCESS"]
    for number in range(1000):
        passed_over.add(f"/in/{number}", f"{number}")
    assert list(passed_over.describe({"/in/z.txt"})) == ["passed over 1,001 files: 0, 1, 10, ..."]


def test_lists_for_messages() -> None:
    assert or_list((".json",)) == ".json"
    assert or_list((".json", ".csv")) == ".json or .csv"
    assert or_list((".a", ".b", ".c")) == ".a, .b or .c"
