"""Which names are data, which are ours, and how globs match: pure rules, the same on disk and on S3.

- A name that begins with a dot or an underscore is skipped: walking a folder or a wildcard never finds it; it must
  be spelled out. Hadoop, Spark and Hive write metadata under such names (`_SUCCESS`, `_temporary`, `_delta_log`,
  `.part-0.crc`) and skip them, too. A file that an export of this program wrote is data even if its table's name
  begins with an underscore.
- Inside a folder, manifests and reject files are skipped. Naming one explicitly, or by a glob that ends in its name,
  takes it. Whether a `manifest.json` is a manifest depends on its content (`ddbio.sources.find`).
- A glob is matched component by component: `*`, `?` and `[..]` stay inside one, `**` spans any number of them. A
  file it matches is taken whatever its suffix, as after the shell's own expansion; a folder it matches is walked, and
  inside it the suffixes matter again.
- Suffixes ignore case: `A.JSON` next to `b.json` must not be missed. The suffix of a compression is ignored:
  `a.json.gz` is treated as `a.json`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ddbio.errors import UsageError

Parts = tuple[str, ...]

# The first is ours; the others are next to the data folder of a native export.
MANIFEST_NAMES = ("_manifest.json", "manifest-summary.json", "manifest-files.json")
# Any of these makes a folder an export: ours (its old name, too) and DynamoDB's.
EXPORT_MANIFESTS = ("_manifest.json", "manifest.json", "manifest-summary.json")
REJECTS_SUFFIX = ".rejects.jsonl"
COMPRESSED_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd")

_OWN_FILE = re.compile(r".+-\d{4,}-\d{5,}\.[a-z.]+")
_MAGIC = re.compile(r"[*?[]")
_ANY_DEPTH = "**"


def has_magic(text: str) -> bool:
    """Whether `text` holds a character that makes it a glob."""
    return _MAGIC.search(text) is not None


def is_hidden(name: str) -> bool:
    return name.startswith(".")


def is_passed_over(name: str) -> bool:
    """Whether a component of a path, and anything below it, is skipped unless it is spelled out."""
    return is_hidden(name) or (name.startswith("_") and _OWN_FILE.fullmatch(name) is None)


def is_service_file(name: str) -> bool:
    """Whether `name` is a manifest or a reject file rather than data."""
    return name in MANIFEST_NAMES or name.endswith(REJECTS_SUFFIX)


def is_data_file(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether to read a file of this name found by walking a folder."""
    endings, plain_name = tuple(suffix.lower() for suffix in suffixes), without_compression(name)
    return not is_passed_over(name) and not is_service_file(plain_name) and plain_name.lower().endswith(endings)


def without_compression(name: str) -> str:
    """The name without the suffix of a compression, if it has one."""
    stem, dot, ending = name.rpartition(".")
    return stem if dot + ending.lower() in COMPRESSED_SUFFIXES else name


def is_data_path(parts: Iterable[str], suffixes: tuple[str, ...]) -> bool:
    """`is_data_file` for a path below the folder that was named: none of its folders may be skipped."""
    *folders, name = parts
    return not any(map(is_passed_over, folders)) and is_data_file(name, suffixes)


SHOWN_NAMES = 3  # of the skipped files


@dataclass(slots=True)
class PassedOver:
    """Files that listings skipped, and signs of exports that they found.

    names: the skipped files, names to show by uri. Manifests are not counted: they are read.
    manifests: uris of files with the name of an export's manifest, in folders that were listed whole (not those of
        which a wildcard chooses files).
    own_files: for each such folder with files named like those of our exports, the uri of one of them.
    """

    names: dict[str, str] = field(default_factory=dict)
    manifests: set[str] = field(default_factory=set)
    own_files: dict[str, str] = field(default_factory=dict)

    def meet(self, uri: str, below: Parts = ()) -> None:
        """Note the file `uri` of a folder that is listed whole, if it is a sign of an export.

        below: the path to it from the folder that was listed; files in skipped folders are ignored.
        """
        folder, _, name = uri.rpartition("/")
        known = name in EXPORT_MANIFESTS
        if not (known or _OWN_FILE.fullmatch(name)) or is_hidden(name) or any(map(is_passed_over, below[:-1])):
            return
        if known:
            self.manifests.add(uri)
        else:
            self.own_files.setdefault(folder, uri)

    def add(self, uri: str, name: str) -> None:
        """Record a skipped file. name: its path below the folder that was listed."""
        if name.rpartition("/")[2] not in MANIFEST_NAMES:
            self.names[uri] = name

    def describe(self, taken: Collection[str]) -> Iterator[str]:
        """`passed over 3 files: a, b, c`; nothing if there are none. taken: uris that another source reads."""
        names = sorted(name for uri, name in self.names.items() if uri not in taken)
        if names:
            more = ", ..." if len(names) > SHOWN_NAMES else ""
            yield (
                f"passed over {len(names):,} file{'s' * (len(names) != 1)}: {', '.join(names[:SHOWN_NAMES])}{more}"
            )


def check_output_name(name: str) -> str:
    """`name`, if it is one plain file name; an output must never be outside its destination."""
    if name in ("", ".", "..") or any(character in name for character in "/\\\0"):
        raise UsageError(f"{name!r} cannot be the name of an output file", "use a name without separators")
    return name


def or_list(words: tuple[str, ...]) -> str:
    """`.json, .csv or .gz`, for messages."""
    *most, last = words or ("nothing",)
    return f"{', '.join(most)} or {last}" if most else last


def matches_component(pattern: str, name: str) -> bool:
    """Whether one component matches. A wildcard matches no leading dot (as in the shell) or underscore."""
    return fnmatchcase(name, pattern) and (not is_passed_over(name) or is_passed_over(pattern))


@dataclass(frozen=True, slots=True)
class Glob:
    """A parsed glob.

    root: the text before the first component with a wildcard, ending in `/` or empty.
    prefix: the text before the first wildcard character; every match begins with it.
    parts: the components after `root`.
    folders_only: it ended in `/`, so it matches folders only.
    """

    root: str
    prefix: str
    parts: Parts
    folders_only: bool

    @classmethod
    def parse(cls, text: str) -> Glob:
        magic = _MAGIC.search(text)
        prefix = text[: magic.start()] if magic else text
        root = prefix[: prefix.rfind("/") + 1]
        parts = tuple(part for part in text[len(root) :].split("/") if part)
        if parts[-1:] == (_ANY_DEPTH,):
            parts += ("*",)  # `a/**` is everything below a, not the folders alone
        return cls(root, prefix, parts, text.endswith("/"))

    def takes(self, parts: Parts, suffixes: tuple[str, ...]) -> bool:
        """Whether to read the file at `parts` below `root`: it matches, or is inside a folder that matches."""
        return any(self._takes_rest(parts[-1], rest, suffixes) for rest in _rests(self.parts, parts))

    def reaches(self, parts: Parts) -> bool:
        """Whether the glob would match the file at `parts`, or a folder above it, if no names were skipped."""
        return any(rest or not self.folders_only for rest in _rests(self.parts, parts, matches_any_name))

    def inside(self, parts: Parts) -> Parts:
        """The path of the file at `parts` relative to the folder that the glob matches; () if it is not in one."""
        return next((rest for rest in _rests(self.parts, parts) if rest), ())

    def takes_file(self, name: str) -> bool:
        """Whether to read a file called `name` that the whole glob matches."""
        return not self.folders_only and (not is_service_file(name) or is_service_file(self.parts[-1]))

    def _takes_rest(self, name: str, rest: Parts, suffixes: tuple[str, ...]) -> bool:
        return is_data_path(rest, suffixes) if rest else self.takes_file(name)


def matches_any_name(pattern: str, name: str) -> bool:
    """Whether one component matches if no names are skipped."""
    return fnmatchcase(name, pattern)


def _rests(pattern: Parts, parts: Parts, matches: Callable[[str, str], bool] = matches_component) -> Iterable[Parts]:
    """The unmatched rest of `parts` for each way in which all of `pattern` matches its beginning."""
    if not pattern:
        yield parts
    elif pattern[0] == _ANY_DEPTH:
        yield from _rests(pattern[1:], parts, matches)
        if len(parts) > 1 and matches("*", parts[0]):
            yield from _rests(pattern, parts[1:], matches)
    elif parts and matches(pattern[0], parts[0]):
        yield from _rests(pattern[1:], parts[1:], matches)


def is_any_depth(part: str) -> bool:
    """Whether a component of a glob is `**`."""
    return part == _ANY_DEPTH
