"""What a uri names is the same in every place."""

from __future__ import annotations

import pytest

from ddbio.errors import UsageError
from ddbio.storage import Storage
from ddbio.storage.names import PassedOver
from tests.support.places import Place

SUFFIXES = (".json", ".csv")

NAMES = [
    "a.json",
    "B.JSON",
    "c.csv",
    "notes.txt",
    "part-00000",
    "_manifest.json",
    "manifest-files.json",
    "Orders.rejects.jsonl",
    ".hidden.json",
    ".Orders-0000-00000.json.part",
    "2024-01/x.json",
    "2024-01/y.txt",
    "2024-01/.z.json",
    "2024-02/deep/x.json",
    "2024-02/deep/_manifest.json",
    ".git/x.json",
    "_SUCCESS",
    "_temporary/0/x.json",
    "2024-01/_x.json",
    "_T-0000-00000.json",
    "2024-01-old/x.json",
    "un\u00efcode/\u00fc 1+1%20.json",
]

ALL = (
    "B.JSON a.json c.csv _T-0000-00000.json 2024-01/x.json 2024-02/deep/x.json 2024-01-old/x.json "
    "un\u00efcode/\u00fc 1+1%20.json"
)
FOUND = [
    ("", ALL),
    ("/", ALL),
    ("/2024-01", "2024-01/x.json"),
    ("/2024-01/", "2024-01/x.json"),
    ("/2024-02", "2024-02/deep/x.json"),
    # named outright: whatever its suffix, hidden or not
    ("/notes.txt", "notes.txt"),
    ("/part-00000", "part-00000"),
    ("/_manifest.json", "_manifest.json"),
    ("/_SUCCESS", "_SUCCESS"),
    ("/_temporary", "_temporary/0/x.json"),
    ("/.hidden.json", ".hidden.json"),
    ("/Orders.rejects.jsonl", "Orders.rejects.jsonl"),
    ("/un\u00efcode/\u00fc 1+1%20.json", "un\u00efcode/\u00fc 1+1%20.json"),
    # globs take files whatever their suffix, and walk the folders they match
    ("/*.json", "a.json _T-0000-00000.json"),
    ("/?.[cJ]*", "B.JSON c.csv"),
    ("/part-*", "part-00000"),
    ("/*.txt", "notes.txt"),
    ("/2024-01/*", "2024-01/x.json 2024-01/y.txt"),
    ("/2024-0?", "2024-01/x.json 2024-02/deep/x.json"),
    ("/2024-0?/", "2024-01/x.json 2024-02/deep/x.json"),
    ("/2024-[!x]1*/x.json", "2024-01/x.json 2024-01-old/x.json"),
    ("/**/x.json", "2024-01/x.json 2024-02/deep/x.json 2024-01-old/x.json"),
    ("/2024-01/**", "2024-01/x.json 2024-01/y.txt"),
    ("/**/deep", "2024-02/deep/x.json"),
    ("/.h*", ".hidden.json"),
    ("/*.rejects.jsonl", "Orders.rejects.jsonl"),
    ("/**/_manifest.json", "_manifest.json 2024-02/deep/_manifest.json"),
    ("/_S*", "_SUCCESS"),
]


def spelled(words: str) -> set[str]:
    """Names separated by spaces; the one with a space in it is put together again."""
    return set(words.replace("\u00fc 1", "\u00fc\0" + "1").split(" ")) if words else set()


def found(place: Place, storage: Storage, pattern: str) -> list[str]:
    files = storage.list_files(place.uri + pattern, SUFFIXES)
    uris = [file.uri for file in files]
    assert uris == sorted(uris)
    assert all(uri.startswith(place.uri + "/") for uri in uris)
    return [uri.removeprefix(place.uri + "/") for uri in uris]


@pytest.fixture
def storage(place: Place) -> Storage:
    return place.storage()


@pytest.fixture
def filled(place: Place) -> Place:
    for name in NAMES:
        place.put(name, name.encode())
    return place


def test_what_each_uri_names(filled: Place, storage: Storage) -> None:
    for pattern, expected in FOUND:
        names = found(filled, storage, pattern)
        assert {name.replace("\u00fc 1", "\u00fc\0" + "1") for name in names} == spelled(expected), pattern
        assert len(names) == len(set(names)), pattern


IN_2024_01 = "2024-01/.z.json 2024-01/_x.json 2024-01/y.txt"
HIDDEN = ".Orders-0000-00000.json.part .git/x.json .hidden.json _SUCCESS _temporary/0/x.json"
PASSED_OVER = [
    ("", f"{HIDDEN} {IN_2024_01} Orders.rejects.jsonl notes.txt part-00000"),
    ("/2024-01", ".z.json _x.json y.txt"),
    ("/*", f"{HIDDEN} {IN_2024_01} Orders.rejects.jsonl"),
    ("/**", f"{HIDDEN} 2024-01/.z.json 2024-01/_x.json Orders.rejects.jsonl"),
    ("/2024-01/*", ".z.json _x.json"),
    ("/2024-0?", IN_2024_01),
    ("/*.txt", ""),
    ("/a.json", ""),
    ("/_temporary", ""),
]


def test_what_is_passed_over_is_counted_and_named(filled: Place, storage: Storage) -> None:
    """Manifests are not: they are read."""
    for pattern, expected in PASSED_OVER:
        passed_over = PassedOver()
        taken = {file.uri for file in storage.list_files(filled.uri + pattern, SUFFIXES, passed_over)}
        names = {name for uri, name in passed_over.names.items() if uri not in taken}
        assert names == set(expected.split()), pattern


MET = [
    ("", "_manifest.json 2024-02/deep/_manifest.json"),
    ("/2024-02/", "2024-02/deep/_manifest.json"),
    ("/2024-0?", "2024-02/deep/_manifest.json"),
    ("/**/deep", "2024-02/deep/_manifest.json"),
    ("/2024-02/deep/*.json", ""),
    ("/2024-02/deep/_manifest.json", ""),
]


def test_manifests_are_met_in_folders_and_not_where_a_wildcard_chooses(filled: Place, storage: Storage) -> None:
    filled.put("_temporary/_manifest.json", b"{}")
    for pattern, expected in MET:
        met = PassedOver()
        storage.list_files(filled.uri + pattern, SUFFIXES, met)
        assert {uri.removeprefix(f"{filled.uri}/") for uri in met.manifests} == set(expected.split()), pattern


def test_uploads_that_were_begun_are_unfinished_outputs(place: Place, storage: Storage) -> None:
    place.put("a/b.json", b"{}")
    output = storage.create(f"{place.uri}/a/", "Orders-0000-00000.json", 1 << 30)
    output.write(b"x" * place.many_parts_bytes)
    expected = [f"{place.uri}/a/Orders-0000-00000.json"] if storage.remote else []  # on disk it is a hidden file
    for below in ("", "/", "/a", "/*", "/a*/"):
        assert storage.list_unfinished(place.uri + below) == expected, below
    for below in ("/b", "/a/*.json"):
        assert storage.list_unfinished(place.uri + below) == [], below
    output.abort()
    assert storage.list_unfinished(place.uri) == []


def test_a_file_is_described_as_it_is(place: Place, storage: Storage) -> None:
    uri = place.put("a.json", b"12345")
    [file] = storage.list_files(uri, SUFFIXES)
    assert (file.uri, file.size_bytes) == (uri, 5)
    assert file.version


def test_the_version_of_an_unchanged_file_stays(place: Place, storage: Storage) -> None:
    uri = place.put("a.json", b"12345")
    assert storage.list_files(uri, SUFFIXES) == storage.list_files(uri, SUFFIXES)


def test_a_folder_lists_a_file_as_its_own_name_does(place: Place, storage: Storage) -> None:
    uri = place.put("a.json", b"12345")
    assert storage.list_files(place.uri, SUFFIXES) == storage.list_files(uri, SUFFIXES)


def test_a_folder_with_one_file(place: Place, storage: Storage) -> None:
    place.put("only.json", b"{}")
    assert found(place, storage, "") == ["only.json"]


def test_an_empty_file_is_listed(place: Place, storage: Storage) -> None:
    place.put("empty.json", b"")
    [file] = storage.list_files(place.uri, SUFFIXES)
    assert file.size_bytes == 0


def test_a_name_with_glob_characters_is_that_file_if_it_exists(place: Place, storage: Storage) -> None:
    place.put("x[1].json", b"the file")
    place.put("x1.json", b"what the pattern would match")
    assert found(place, storage, "/x[1].json") == ["x[1].json"]
    assert found(place, storage, "/x[[]1].json") == ["x[1].json"]
    assert found(place, storage, "/x[0-9].json") == ["x1.json"]


def test_what_is_missing_is_named(place: Place, storage: Storage) -> None:
    place.put("a.json", b"{}")
    for pattern in ("/nope.json", "/nope/a.json", "/nope*.json", "/nope/*.json", "/nope/"):
        with pytest.raises(UsageError, match=r"nope") as caught:
            storage.list_files(place.uri + pattern, SUFFIXES)
        assert caught.value.hint


def test_when_nothing_matches_the_suffixes_are_named(place: Place, storage: Storage) -> None:
    place.put("folder/a.parquet", b"PAR1")
    for pattern in ("", "/folder", "/folder/"):
        with pytest.raises(UsageError, match=r"\.json or \.csv") as caught:
            storage.list_files(place.uri + pattern, SUFFIXES)
        assert place.uri in caught.value.message


def test_a_folder_that_only_holds_what_is_skipped(place: Place, storage: Storage) -> None:
    for name in ("_manifest.json", "_x.json", "Orders.rejects.jsonl", ".a.json"):
        place.put(name, b"{}")
    with pytest.raises(UsageError):
        storage.list_files(place.uri, (".json", ".jsonl"))
