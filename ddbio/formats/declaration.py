"""The declaration of a format, used before any record is read or written: the names and first bytes of its files, how
a file is detected and cut, its columns, and the options that apply to it.

Each format has one `Declaration`, which the registry (`ddbio.formats.FORMATS`) names. Code outside a format's package
asks its declaration; it never compares a format's name. A declaration is cheap to import: it loads the library of a
format only to read or write a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import AUTO, CsvOptions
from ddbio.values.names import NO_CHANGES, NameChanges
from ddbio.values.table import TableInfo

if TYPE_CHECKING:
    from ddbio.formats import Format

Column = tuple[str, str]  # a name, and one of `ddbio.options.CSV_TYPES`
SIGNATURE_BYTES = 512  # of a file, that are enough to know a binary one: a tar archive shows itself at byte 257
BINARY = b"\0"  # no text has this byte
COLUMN_OPTIONS = frozenset({"--columns"})


@dataclass(frozen=True, slots=True)
class Known:
    """Facts about the files of an import that are known before they are opened.

    format: the one that was asked for, or `auto`. keys: attributes that every item needs. key_types: by attribute, of
    the keys of the table and of its indexes. tables: names of the table in requests. changes: of the names
    of attributes. types_of: names and types of the columns of a file, if the manifest beside it lists them.
    """

    format: str = AUTO
    csv: CsvOptions = field(default_factory=CsvOptions)
    keys: tuple[str, ...] = ()
    key_types: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    changes: NameChanges = NO_CHANGES
    types_of: Callable[[SourceFile], tuple[Column, ...]] = lambda _: ()

    @classmethod
    def of_table(cls, table: TableInfo, format: str, csv: CsvOptions, changes: NameChanges) -> Known:
        arn = table.description.get("TableArn", table.name)  # requests name the table by its name or its ARN
        return cls(
            format,
            csv,
            tuple(part.name for part in table.key),
            {part.name: part.type for part in (*table.key, *table.index_keys)},
            tuple(dict.fromkeys((table.name, table.address, arn))),
            changes,
        )

    @property
    def auto(self) -> bool:
        return self.format == AUTO


class Beginning(Protocol):
    """The beginning of a file, decompressed. text: the bytes read so far. is_whole: that is the whole file.
    is_long: no more of it is read. is_blank: the file has no record at all."""

    file: SourceFile
    text: bytes
    is_whole: bool

    @property
    def is_long(self) -> bool: ...

    @property
    def is_blank(self) -> bool: ...

    @property
    def name(self) -> str:
        """The last part of its path, for messages."""

    def grow(self) -> None:
        """Read more of it."""

    def open(self) -> BinaryIO:
        """The file as it is stored."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence on files. about: remarks on the same are one sentence on all of their files.
    say: the sentence; called with "" for one file, else with `2 more files`."""

    about: str
    say: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Found:
    """How a file is read.

    why: how its format was found, for `Format: csv, ...`; empty if that is not worth a line.
    start: the offset of its first record, after `head_lines` lines.
    cuts: its slices [start, stop), if the format knows them; () for a file without records.
    changes: its records put and delete.
    """

    format: FormatSpec
    why: str = ""
    start: int = 0
    head_lines: int = 0
    cuts: tuple[tuple[int, int], ...] | None = None
    changes: bool = False
    remarks: tuple[Remark, ...] = ()


class Columns(Protocol):
    """How the columns of an export are chosen, of a format that has some.

    need_types: each needs a type, so that of a column that was named without one the table is asked.
    """

    need_types: bool

    def loses(self, listed: bool) -> str:
        """The distinctions that the files lose. listed: a manifest beside them has the types of the columns."""

    def type_of(self, letters: set[str]) -> str:
        """The type of a column whose values have these types."""

    def spec(self, columns: Sequence[Column], numbers: str) -> FormatSpec:
        """The format with these columns. numbers: one of `ddbio.options.NUMBERS`."""


class Declaration:
    """The defaults are those of a text format.

    name: its key in the registry. label: its name in messages.
    suffixes: of the files that `--format auto` takes for it. folder_suffixes: of those that are taken from a folder
        if the format is asked for.
    signature: the first bytes of every file, of a format whose files are binary: these are examined by `detect`
        alone, and cannot be compressed, nor read from standard input.
    compressed_inside: `--compress` does not apply. whole_files: a file is complete with its last byte only, so that
        it can be neither continued nor written to standard output.
    import_options, export_options: of those that not every format has.
    columns: of an export, None if the files have none.
    """

    name: str
    label: str
    suffixes: tuple[str, ...] = ()
    folder_suffixes: tuple[str, ...] = ()
    signature = b""
    compressed_inside = False
    whole_files = False
    import_options: frozenset[str] = frozenset()
    export_options: frozenset[str] = frozenset()
    columns: Columns | None = None

    @property
    def described(self) -> str:
        """`a Parquet file`."""
        return f"{'an' if self.label[0] in 'AEIO' else 'a'} {self.label} file"

    def begins(self, text: bytes) -> bool:
        """Whether a file that begins like this is one of a format of binary files. A signature of letters alone may
        begin a text, too."""
        signature = self.signature
        return signature != b"" and text.startswith(signature) and (not signature.isalnum() or BINARY in text)

    def open(self, settings: Any) -> Format:
        """The format itself. settings: of a `FormatSpec`. Raises UsageError if its library is not installed."""
        raise NotImplementedError

    def check_installed(self) -> None:
        """Raises UsageError if the format's library is not installed."""

    def detect(self, head: Beginning, known: Known, why: str | None) -> Found | None:
        """How a file is read. why: the reason to take it for this format; None if there is none yet: then None is
        returned for a file that may be something else.

        Raises UsageError for a file that cannot be imported with these options.
        """
        raise NotImplementedError

    def check(self, found: Sequence[FormatSpec], known: Known) -> None:
        """Raises UsageError if options of this format fit none of the files. found: the formats of all of them."""


def named(columns: Sequence[str]) -> str:
    """The names of columns, for a message."""
    shown = ", ".join(f"'{name}'" for name in columns[:20])
    return f"{shown}, ..." if len(columns) > 20 else shown
