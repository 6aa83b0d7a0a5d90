"""Which names are data, which are ours, and what a glob means: pure rules, the same on disk and on S3.

- A name that begins with a dot or an underscore is passed over: it is never found by walking a folder or by a
  wildcard, only when it is spelled. Hadoop, Spark and Hive write what is not data under such names (`_SUCCESS`,
  `_temporary`, `_delta_log`, `.part-0.crc`) and pass over them, too. A file that an export of this program wrote is
  data even if its table's name begins with an underscore.
- Inside a folder the files that are written beside the data are passed over: manifests and rejects. Naming one
  outright, or by a glob that ends in its name, takes it. Whether a `manifest.json` is one, its content says
  (`ddbio.sources.find`).
- A glob is matched component by component: `*`, `?` and `[..]` stay inside one, `**` spans any number of them. What
  it matches is taken whatever its suffix, as after the shell's own expansion; a folder it matches is walked, and
  in there the suffixes count again.
- Suffixes are compared without regard to case: `A.JSON` beside `b.json` must not be left behind unnoticed. What
  compression adds to a name counts for nothing: `a.json.gz` is `a.json`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ddbio.errors import UsageError

Parts = tuple[str, ...]

# The first is ours; the others lie beside the data folder of a native export.
MANIFEST_NAMES = ("_manifest.json", "manifest-summary.json", "manifest-files.json")
# What makes a folder an export: ours, by its old name too, and DynamoDB's.
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
    """Whether a component of a path is no data, nor anything below it, unless it is spelled."""
    return is_hidden(name) or (name.startswith("_") and _OWN_FILE.fullmatch(name) is None)


def is_service_file(name: str) -> bool:
    """Whether `name` is a file written beside the data, not data itself."""
    return name in MANIFEST_NAMES or name.endswith(REJECTS_SUFFIX)


def is_data_file(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a file of this name, met while walking a folder, is one to read."""
    endings, plain_name = tuple(suffix.lower() for suffix in suffixes), without_compression(name)
    return not is_passed_over(name) and not is_service_file(plain_name) and plain_name.lower().endswith(endings)


def without_compression(name: str) -> str:
    """The name without the suffix that compression adds, if it has one."""
    stem, dot, ending = name.rpartition(".")
    return stem if dot + ending.lower() in COMPRESSED_SUFFIXES else name


def is_data_path(parts: Iterable[str], suffixes: tuple[str, ...]) -> bool:
    """The same for a path below the folder that was named: none of its folders may be passed over."""
    *folders, name = parts
    return not any(map(is_passed_over, folders)) and is_data_file(name, suffixes)


SHOWN_NAMES = 3  # of the files that were passed over


@dataclass(slots=True)
class PassedOver:
    """What listings came across.

    names: the files that they left out, names to show by uri. Manifests are not counted: they are read.
    manifests: uris of files that are manifests of exports by their names, in folders whose files were all looked at
        (not those where a wildcard chooses files).
    own_files: for each such folder with files named as exports by this program name theirs, the uri of one.
    """

    names: dict[str, str] = field(default_factory=dict)
    manifests: set[str] = field(default_factory=set)
    own_files: dict[str, str] = field(default_factory=dict)

    def meet(self, uri: str, below: Parts = ()) -> None:
        """A file of a folder whose files are all looked at. below: the path to it from the folder that was listed;
        what is in a folder that is passed over does not count."""
        folder, _, name = uri.rpartition("/")
        known = name in EXPORT_MANIFESTS
        if not (known or _OWN_FILE.fullmatch(name)) or is_hidden(name) or any(map(is_passed_over, below[:-1])):
            return
        if known:
            self.manifests.add(uri)
        else:
            self.own_files.setdefault(folder, uri)

    def add(self, uri: str, name: str) -> None:
        """name: of the file below what was listed."""
        if name.rpartition("/")[2] not in MANIFEST_NAMES:
            self.names[uri] = name

    def describe(self, taken: Collection[str]) -> Iterator[str]:
        """`passed over 3 files: a, b, c`; nothing if there are none. taken: uris that another source has."""
        names = sorted(name for uri, name in self.names.items() if uri not in taken)
        if names:
            more = ", ..." if len(names) > SHOWN_NAMES else ""
            yield (
                f"passed over {len(names):,} file{'s' * (len(names) != 1)}: {', '.join(names[:SHOWN_NAMES])}{more}"
            )


def check_output_name(name: str) -> str:
    """`name`, if it is one plain file name; an output must never lead outside its destination."""
    if name in ("", ".", "..") or any(character in name for character in "/\\\0"):
        raise UsageError(f"{name!r} cannot be the name of an output file", "use a name without separators")
    return name


def spoken_list(words: tuple[str, ...]) -> str:
    """`.json, .csv or .gz`, for messages."""
    *most, last = words or ("nothing",)
    return f"{', '.join(most)} or {last}" if most else last


def matches_component(pattern: str, name: str) -> bool:
    """Whether one component matches. A wildcard does not stand for a leading dot, as in the shell, or underscore."""
    return fnmatchcase(name, pattern) and (not is_passed_over(name) or is_passed_over(pattern))


@dataclass(frozen=True, slots=True)
class Glob:
    """A parsed glob.

    root: the text before the first component with a wildcard, ending in `/` or empty.
    prefix: the text before the first wildcard character; all that matches begins with it.
    parts: the components after `root`.
    folders_only: it ended in `/`, so it names folders, and a file is no match.
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
        """Whether the file at `parts` below `root` is one to read: matched itself, or inside a matched folder."""
        return any(self._takes_rest(parts[-1], rest, suffixes) for rest in _rests(self.parts, parts))

    def reaches(self, parts: Parts) -> bool:
        """Whether the glob matches the file at `parts`, or a folder above it, if names that are passed over count."""
        return any(rest or not self.folders_only for rest in _rests(self.parts, parts, matches_any_name))

    def inside(self, parts: Parts) -> Parts:
        """The path of the file at `parts` from the folder that the glob matches, if it is in one; else ()."""
        return next((rest for rest in _rests(self.parts, parts) if rest), ())

    def takes_file(self, name: str) -> bool:
        """Whether a file called `name` that the glob matches to its end is one to read."""
        return not self.folders_only and (not is_service_file(name) or is_service_file(self.parts[-1]))

    def _takes_rest(self, name: str, rest: Parts, suffixes: tuple[str, ...]) -> bool:
        return is_data_path(rest, suffixes) if rest else self.takes_file(name)


def matches_any_name(pattern: str, name: str) -> bool:
    """Whether one component matches if no name is passed over."""
    return fnmatchcase(name, pattern)


def _rests(pattern: Parts, parts: Parts, matches: Callable[[str, str], bool] = matches_component) -> Iterable[Parts]:
    """What each way of matching all of `pattern` against the beginning of `parts` leaves over."""
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
