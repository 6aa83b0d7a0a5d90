"""Files of other programs are named, and no text is taken for one."""

from __future__ import annotations

import bz2
import io
import lzma
import sqlite3
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path

import pyarrow
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import UsageError
from ddbio.formats.foreign import check_not_foreign, foreign_kind

TABLE = pyarrow.table({"id": ["a", "b"]})


def written(write: object) -> bytes:
    out = io.BytesIO()
    write(out)  # type: ignore[operator]
    return out.getvalue()


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x" * 10)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.json"), io.BytesIO())
    return out.getvalue()


def database() -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE a (b)")
        return connection.serialize() if hasattr(connection, "serialize") else b"SQLite format 3\0"


FILES: dict[str, tuple[bytes, str, str]] = {
    "zip": (zipped("a.json"), "a zip archive", "unpack it"),
    "empty zip": (zipped(), "an empty zip archive", "unpack it"),
    "xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook", "CSV"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "an old Excel or other Office document", "CSV"),
    "tar": (tarred(), "a tar archive", "unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive", "unpack it"),
    "rar": (b"Rar!\x1a\x07\x01\0", "a RAR archive", "unpack it"),
    "bzip2": (bz2.compress(b"{}"), "a bzip2 file", 'bzip2 -dc "in.json" |'),
    "xz": (lzma.compress(b"{}"), "an xz file", 'xz -dc "in.json" |'),
    "lz4": (b"\x04\x22\x4d\x18\x64", "an lz4 file", 'lz4 -dc "in.json" |'),
    "snappy": (b"\xff\x06\0\0sNaPpY", "a snappy file", 'snzip -dc "in.json" |'),
    "orc": (written(lambda out: pyarrow.orc.write_table(TABLE, out)), "an ORC file", "Parquet"),
    "avro": (b"Obj\x01\x04\x14avro.codec", "an Avro file", "--format avro"),
    "feather": (written(lambda out: pyarrow.feather.write_feather(TABLE, out)), "an Arrow (Feather) file", "Parquet"),
    "parquet": (
        written(lambda out: pyarrow.parquet.write_table(TABLE, out)),
        "a Parquet file",
        "--format parquet",
    ),
    "ion": (b"\xe0\x01\x00\xea\xee", "an Ion file", "DynamoDB JSON"),
    "sqlite": (database(), "an SQLite database", 'sqlite3 -csv -header "in.json"'),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "a PDF document", "JSON lines"),
    "xml": (b'<?xml version="1.0"?><Error/>', "XML", "errors"),
    "html": (b"<!DOCTYPE html><html>", "HTML", "web page"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_program_is_named_with_what_to_do(name: str) -> None:
    content, kind, advice = FILES[name]
    assert (foreign_kind(content) or ("",))[0] == kind
    with pytest.raises(UsageError) as caught:
        check_not_foreign(content, "in.json")
    assert f'"in.json" is {kind}' in str(caught.value)
    assert advice in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"ORCID,id\n1,2\n",
        b"PARENT,id\n",
        b"PAR1,id\n",
        b"FEA1,id\n",
        b"GIF89a,id\n",
        b"PGDMP,id\n",
        b"x" * 257 + b"ustar,id\n",
        b"PK,id\n",
        b"BZh91,id\n",
        b"7z,id\n",
    ],
)
def test_text_is_no_file_of_another_program(text: bytes) -> None:
    assert foreign_kind(text) is None


@given(st.sampled_from(['{"id": 1}', "[", '"id"', "id,", "\ufeffid;", "é|"]), st.text())
def test_data_is_never_taken_for_anything_else(beginning: str, text: str) -> None:
    assert foreign_kind((beginning + text).encode("utf-8", "surrogatepass")) is None


def test_every_signature_is_short_enough_to_be_seen(tmp_path: Path) -> None:
    assert all(foreign_kind(content[:512]) for content, _, _ in FILES.values())


@pytest.mark.parametrize(("name", "kind"), [("a.XLSX", "an Excel workbook"), ("a.ods", "an OpenDocument file")])
def test_a_sheet_that_was_cut_off_is_known_by_its_name(name: str, kind: str) -> None:
    with pytest.raises(UsageError, match=f"is {kind}"):
        check_not_foreign(b"PK\x03\x04", name)
    with pytest.raises(UsageError, match="is a zip archive"):
        check_not_foreign(b"PK\x03\x04", "a.zip")
