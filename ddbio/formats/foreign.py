"""Identifies files in none of our formats, or not in the expected one, by their first bytes, and advises on them.
Files of our own binary formats are identified by their declarations.

Each kind has a signature that no text in JSON or CSV begins with, or that only a binary file has (`BINARY`).
Sources: the formats' own specifications, and the `file` command's collection of them.
"""

from __future__ import annotations

from typing import NamedTuple

from ddbio.errors import UsageError
from ddbio.formats import all_declarations
from ddbio.formats.declaration import BINARY, SIGNATURE_BYTES, Beginning


class _Kind(NamedTuple):
    """name: with its article. advice: to the user, with FILE for the file. at: the offset of the signature.
    binary: whether a zero byte must be there, too, since text may begin in the same way."""

    name: str
    signature: bytes
    advice: str
    at: int = 0
    binary: bool = False


def _unpacked_by(command: str) -> str:
    return f'pipe it in, with the --format of its contents: {command} "FILE" | DDBImport.py ... -s -'


_UNZIP = "unpack it, and import the files that are in it"
_SHEET = "save its sheets as CSV, and import those"
_CONVERT = "convert it to Parquet or to JSON lines first, with DuckDB, pyarrow or Spark"
_NO_DATA = "name a file of JSON lines, CSV or Parquet"

_KINDS = (
    _Kind("a bzip2 file", b"1AY&SY", _unpacked_by("bzip2 -dc"), at=4),
    _Kind("an xz file", b"\xfd7zXZ\0", _unpacked_by("xz -dc")),
    _Kind("an lz4 file", b"\x04\x22\x4d\x18", _unpacked_by("lz4 -dc")),
    _Kind("a snappy file", b"\xff\x06\0\0sNaPpY", _unpacked_by("snzip -dc")),
    _Kind("an lzip file", b"LZIP\x01", _unpacked_by("lzip -dc")),
    _Kind("a file of compress (.Z)", b"\x1f\x9d", _unpacked_by("gzip -dc")),
    _Kind("a 7z archive", b"7z\xbc\xaf\x27\x1c", _UNZIP),
    _Kind("a RAR archive", b"Rar!\x1a\x07", _UNZIP),
    _Kind("a tar archive", b"ustar", _UNZIP, at=257, binary=True),
    _Kind("an empty zip archive", b"PK\x05\x06", _UNZIP),
    _Kind("an old Excel or other Office document", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _SHEET),
    _Kind("an ORC file", b"ORC", _CONVERT, binary=True),
    _Kind("an Arrow (Feather) file", b"ARROW1\0\0", _CONVERT),
    _Kind("a Feather file", b"FEA1", _CONVERT, binary=True),
    _Kind("an Arrow stream", b"\xff\xff\xff\xff", _CONVERT),
    _Kind("an encrypted Parquet file", b"PARE", "decrypt it first", binary=True),
    _Kind("an Ion file", b"\xe0\x01\0\xea", "export the table again as DynamoDB JSON, or convert it to JSON lines"),
    _Kind("an HDF5 file", b"\x89HDF\r\n\x1a\n", _CONVERT),
    _Kind("a NumPy file", b"\x93NUMPY", _CONVERT),
    _Kind("a Python pickle", b"\x80\x04\x95", "write it as JSON lines with the program that made it"),
    _Kind(
        "an SQLite database",
        b"SQLite format 3\0",
        "export a table: sqlite3 -csv -header \"FILE\" 'SELECT ...' > rows.csv",
    ),
    _Kind(
        "a dump of PostgreSQL",
        b"PGDMP",
        "restore it, and export the table: COPY ... TO STDOUT (FORMAT csv, HEADER)",
        binary=True,
    ),
    _Kind("a PDF document", b"%PDF-", _NO_DATA),
    _Kind("a PNG image", b"\x89PNG\r\n\x1a\n", _NO_DATA),
    _Kind("a JPEG image", b"\xff\xd8\xff", _NO_DATA),
    _Kind("a GIF image", b"GIF8", _NO_DATA, binary=True),
    _Kind("a program", b"\x7fELF", _NO_DATA),
    _Kind("XML", b"<?xml", "convert it to JSON lines or CSV; S3 and web servers also answer errors in XML"),
    _Kind("HTML", b"<!DOCTYPE html", "name the data itself: this is a web page, such as an error or a login"),
    _Kind("HTML", b"<html", "name the data itself: this is a web page, such as an error or a login"),
)
_ZIP = b"PK\x03\x04"
_IN_ZIP = (  # by the first entries of a zip archive
    _Kind("an Excel workbook", b"xl/", _SHEET),
    _Kind("an Excel workbook", b"[Content_Types].xml", _SHEET),
    _Kind("an OpenDocument file", b"mimetypeapplication/vnd.oasis", _SHEET),
    _Kind("a zip archive", b"", _UNZIP),
)


def foreign_kind(beginning: bytes) -> tuple[str, str] | None:
    """The kind of a file, with its article, and the advice; None for a file that may be data. beginning: its first
    `SIGNATURE_BYTES`, or more."""
    if beginning.startswith(_ZIP):
        return next((kind.name, kind.advice) for kind in _IN_ZIP if kind.signature in beginning)
    for kind in _KINDS:
        if beginning.startswith(kind.signature, kind.at) and (not kind.binary or BINARY in beginning):
            return kind.name, kind.advice
    own = next((each for each in all_declarations() if each.begins(beginning)), None)
    return None if own is None else (own.described, f"import it with --format {own.name}")


_ZIPS_BY_NAME = {  # an archive with an unknown first entry, or truncated before it
    (".xlsx", ".xlsm", ".xlsb"): ("an Excel workbook", _SHEET),
    (".ods",): ("an OpenDocument file", _SHEET),
}


def check_not_foreign(beginning: bytes, uri: str) -> None:
    """Raise UsageError for a file in none of our formats. beginning: see `foreign_kind`."""
    found = foreign_kind(beginning)
    if found is not None and beginning.startswith(_ZIP):
        lower = uri.lower()
        found = next((kind for suffixes, kind in _ZIPS_BY_NAME.items() if lower.endswith(suffixes)), found)
    if found is not None:
        name, advice = found
        raise UsageError(f'"{uri}" is {name}', advice.replace("FILE", uri))


def check_stored(head: Beginning, signature: bytes) -> None:
    """The same for a file that could not be read as one of a format whose files begin with `signature`."""
    with head.open() as file:
        beginning = file.read(SIGNATURE_BYTES)
    if not beginning.startswith(signature):
        check_not_foreign(beginning, head.file.uri)
