"""The options that describe the format of a file: argv to `CsvOptions`, and the argparse types for it."""

from __future__ import annotations

import argparse

from ddbio.errors import UsageError
from ddbio.options import CSV_TYPES, EMPTY_CELLS, CsvOptions

_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|", "space": " "}


def names(text: str) -> tuple[str, ...]:
    """An argparse type: names separated by commas; a name that contains a comma is in double quotes."""
    import csv

    row = tuple(next(csv.reader([text]), []))
    if not row or "" in row:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of names, such as id,name,age")
    return row


def types(text: str) -> tuple[tuple[str, str], ...]:
    """An argparse type: `age:N,tags:SS`."""
    pairs = []
    for each in names(text):
        name, _, letter = each.rpartition(":")
        if not name or letter not in CSV_TYPES:
            raise argparse.ArgumentTypeError(
                f"{each!r} is not a column and its type, such as age:N; types are {', '.join(CSV_TYPES)}"
            )
        pairs.append((name, letter))
    return tuple(pairs)


def delimiter(text: str) -> str:
    """An argparse type: one ASCII character, or the name of one."""
    character = _DELIMITERS.get(text.lower(), text)
    if len(character) != 1 or not character.isascii() or character in '"\r\n\0':
        raise argparse.ArgumentTypeError(f"{text!r} is not one character, nor tab, comma, semicolon, bar or space")
    return character


def escape(text: str) -> str:
    """An argparse type: an ASCII escape character."""
    if len(text) != 1 or not text.isascii() or not text.isprintable() or text.isalnum() or text in '" ':
        raise argparse.ArgumentTypeError(f"{text!r} is not one character such as '\\'; doubled quotes need no option")
    return text


def add_csv_import_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("CSV")
    group.add_argument(
        "--columns", type=names, metavar="NAMES", help="column names, a,b,c, for files without a header"
    )
    group.add_argument(
        "--delimiter", type=delimiter, metavar="C", help="one character, or tab (default: detected from the header)"
    )
    group.add_argument(
        "--csv-types",
        type=types,
        default=(),
        metavar="TYPES",
        help=f"types of columns, such as age:N,tags:SS,doc:JSON; of {', '.join(CSV_TYPES)}. Keys get the table's "
        "types, other columns are text",
    )
    group.add_argument(
        "--infer-types", action="store_true", help="import other cells that are unambiguously numbers as numbers"
    )
    group.add_argument(
        "--empty",
        choices=EMPTY_CELLS,
        default="drop",
        help="import an empty cell as no attribute, null, or an empty string (default: %(default)s)",
    )
    group.add_argument(
        "--csv-null",
        type=names,
        default=(),
        metavar="WORDS",
        help="words to read as an empty cell, such as NULL,\\N (see --empty)",
    )
    group.add_argument(
        "--csv-escape",
        type=escape,
        metavar="C",
        help="the escape character: '\\'",
    )
    group.add_argument(
        "--keep-blanks",
        action="store_true",
        help="keep blanks around the names in a header instead of trimming them",
    )


def csv_options(given: argparse.Namespace) -> CsvOptions:
    if given.csv_escape and given.csv_escape == given.delimiter:
        raise UsageError("--csv-escape and --delimiter are the same character", "change one of them")
    return CsvOptions(
        given.columns,
        given.delimiter,
        given.csv_types,
        given.infer_types,
        given.empty,
        given.csv_null,
        given.csv_escape or "",
        given.keep_blanks,
    )
