"""Which names are data, which are ours, and what a glob means: pure rules, the same on disk and on S3.

- A name that begins with a dot is hidden: never found by walking a folder or by a wildcard, only when it is spelled.
- Inside a folder the files this tool (or DynamoDB's own export) writes beside the data are skipped: manifests and
  rejects. Naming one outright, or by a glob that ends in its name, takes it.
- A glob is matched component by component: `*`, `?` and `[..]` stay inside one, `**` spans any number of them. What
  it matches is taken whatever its suffix, as after the shell's own expansion; a folder it matches is walked, and
  in there the suffixes count again.
- Suffixes are compared without regard to case: `A.JSON` beside `b.json` must not be left behind unnoticed. What
  compression adds to a name counts for nothing: `a.json.gz` is `a.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ddbio.errors import UsageError

Parts = tuple[str, ...]

# The first two are ours, of today and of earlier; the others lie beside the data folder of a native export.
MANIFEST_NAMES = ("_manifest.json", "manifest.json", "manifest-summary.json", "manifest-files.json")
REJECTS_SUFFIX = ".rejects.jsonl"
COMPRESSED_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd")

_MAGIC = re.compile(r"[*?[]")
_ANY_DEPTH = "**"


def has_magic(text: str) -> bool:
    """Whether `text` holds a character that makes it a glob."""
    return _MAGIC.search(text) is not None


def is_hidden(name: str) -> bool:
    return name.startswith(".")


def is_service_file(name: str) -> bool:
    """Whether `name` is a file written beside the data, not data itself."""
    return name in MANIFEST_NAMES or name.endswith(REJECTS_SUFFIX)


def is_data_file(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a file of this name, met while walking a folder, is one to read."""
    endings, plain_name = tuple(suffix.lower() for suffix in suffixes), without_compression(name)
    return not is_hidden(name) and not is_service_file(plain_name) and plain_name.lower().endswith(endings)


def without_compression(name: str) -> str:
    """The name without the suffix that compression adds, if it has one."""
    stem, dot, ending = name.rpartition(".")
    return stem if dot + ending.lower() in COMPRESSED_SUFFIXES else name


def is_data_path(parts: Iterable[str], suffixes: tuple[str, ...]) -> bool:
    """The same for a path below the folder that was named: no component of it may be hidden."""
    *folders, name = parts
    return not any(map(is_hidden, folders)) and is_data_file(name, suffixes)


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
    """Whether one component matches; like the shell, a wildcard does not stand for a leading dot."""
    return fnmatchcase(name, pattern) and (not is_hidden(name) or is_hidden(pattern))


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

    def takes_file(self, name: str) -> bool:
        """Whether a file called `name` that the glob matches to its end is one to read."""
        return not self.folders_only and (not is_service_file(name) or is_service_file(self.parts[-1]))

    def _takes_rest(self, name: str, rest: Parts, suffixes: tuple[str, ...]) -> bool:
        return is_data_path(rest, suffixes) if rest else self.takes_file(name)


def _rests(pattern: Parts, parts: Parts) -> Iterable[Parts]:
    """What each way of matching all of `pattern` against the beginning of `parts` leaves over."""
    if not pattern:
        yield parts
    elif pattern[0] == _ANY_DEPTH:
        yield from _rests(pattern[1:], parts)
        if len(parts) > 1 and not is_hidden(parts[0]):
            yield from _rests(pattern, parts[1:])
    elif parts and matches_component(pattern[0], parts[0]):
        yield from _rests(pattern[1:], parts[1:])


def is_any_depth(part: str) -> bool:
    """Whether a component of a glob is `**`."""
    return part == _ANY_DEPTH
