"""Options that are not on the command line: from variables, such as `DDBIO_CAPACITY=500`, and from a file
(`ddbio.cli.configuration_file`). A variable has precedence.

A setting becomes words, `--capacity=500`, which `ddbio.cli.parsing` parses with those of the command line. A command
reads its configuration once; workers and the library know nothing of it.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddbio.cli.configuration_file import (
    TYPED_ONLY,
    TYPED_ONLY_VALUES,
    Raw,
    all_options,
    from_file,
    refuse_typed_only,
    refuse_unknown,
)
from ddbio.errors import UsageError
from ddbio.natural import check_encodable
from ddbio.options import check_not_blank

if TYPE_CHECKING:
    from ddbio.cli.parsing import Parser

PREFIX = "DDBIO_"
# Other variables of this project.
NO_OPTIONS = {"DDBIO_DEBUG", "DDBIO_NATIVE", "DDBIO_TESTS", "DDBIO_REQUIRE_ENDPOINTS"}
WHERE = {"DDBIO_CONFIG", "DDBIO_SETTINGS"}
_ON, _OFF = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}

_ignored = False


@dataclass(frozen=True, slots=True)
class Setting:
    """An option that is configured. spellings: of the option, the long one last.

    words: of the command line, `--capacity=500`; none for a flag that is off. origin: the variable, or the file and
    the key.
    """

    spellings: tuple[str, ...]
    words: tuple[str, ...]
    origin: str

    @property
    def option(self) -> str:
        return self.spellings[-1]

    @property
    def source(self) -> str:
        """The variable or the file."""
        return self.origin.rpartition(": ")[0] or self.origin

    @property
    def value(self) -> str:
        """As shown to a user."""
        values = [word.partition("=")[2] for word in self.words if "=" in word]
        return ", ".join(values) if values else "on" if self.words else "off"


def ignore() -> None:
    """The next command of this process has all its options on the command line: it is one that was noted."""
    global _ignored
    _ignored = True


def settings_of(parser: Parser, file: str | None, profile: str | None) -> dict[str, Setting]:
    """The settings of a command by option, whether it uses them or not. file, profile: --config and --settings.

    Raises UsageError for anything in the variables and the file that no command could use.
    """
    if _ignored:
        return {}
    raw = [*from_file(parser, file, profile), *_from_variables(parser)]
    return {each.option: _setting(parser, each) for each in raw}


def name_origins(error: UsageError, settings: list[Setting]) -> UsageError:
    """The same error with the origin of each configured option that it names."""
    named = [
        f"{each.option} is from {each.origin}"
        for each in settings
        if any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", str(error)) for name in each.spellings)
    ]
    return error.reworded(error.message, "; ".join([*filter(None, [error.hint]), *named])) if named else error


# -- variables


def variable_of(option: str) -> str:
    return PREFIX + option.removeprefix("--").upper().replace("-", "_")


def _from_variables(parser: Parser) -> Iterator[Raw]:
    for name in sorted(name for name in os.environ if name.startswith(PREFIX)):
        if name in NO_OPTIONS or name in WHERE:
            continue
        option = "--" + name.removeprefix(PREFIX).lower().replace("_", "-")
        if variable_of(option) != name or (option not in parser.options and option not in all_options()):
            known = [variable_of(each) for each in all_options()]
            refuse_unknown(f"{name} is the variable of no option", name, [*known, *WHERE], "unset it")
        if option in TYPED_ONLY:
            refuse_typed_only(name, option)
        if option in parser.options:
            text = os.environ[name]
            yield Raw(option, _switch(text, name) if _is_flag(parser.options[option]) else text, name)


def _switch(text: str, origin: str) -> bool:
    if text.lower() not in _ON | _OFF:
        raise UsageError(f"{origin} is {text!r}", "a flag is 1, true, yes or on, or 0, false, no or off")
    return text.lower() in _ON


# -- values


def _is_flag(action: argparse.Action) -> bool:
    return action.nargs == 0


def _setting(parser: Parser, raw: Raw) -> Setting:
    action = parser.options[raw.option]
    return Setting(tuple(action.option_strings), _words(action, raw, parser), raw.origin)


def _words(action: argparse.Action, raw: Raw, parser: Parser) -> tuple[str, ...]:
    if _is_flag(action):
        if not isinstance(raw.value, bool):
            raise UsageError(f"{raw.origin}: {raw.option} is a flag", "write true or false")
        return (raw.option,) if raw.value else ()
    if isinstance(raw.value, list) and not isinstance(action, argparse._AppendAction):
        raise UsageError(f"{raw.origin}: {raw.option} takes one value", "write it as a string")
    texts = [_text(each, raw) for each in (raw.value if isinstance(raw.value, list) else [raw.value])]
    for text in texts:
        if text == TYPED_ONLY_VALUES.get(raw.option):
            refuse_typed_only(raw.origin, f"{raw.option} {text}")
        _check_text(action, text, raw, parser)
    return tuple(f"{raw.option}={text}" for text in texts)


def _text(value: object, raw: Raw) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        raise UsageError(f"{raw.origin}: {raw.option} cannot be {shown:.40}", "write a string or a number")
    text = str(value)
    check_encodable(raw.origin, text)
    if "\0" in text:  # nobody can type it, and no path can have it
        raise UsageError(f"{raw.origin}: {raw.option} has a NUL character", "remove it")
    return text


def _check_text(action: argparse.Action, text: str, raw: Raw, parser: Parser) -> None:
    """Raise UsageError, with the origin, for a text that the command line would refuse."""
    try:
        if not parser.may_be_blank(raw.option):
            check_not_blank(raw.option, text)
        parser.check_value(action, text)
    except UsageError as error:
        raise error.reworded(f"{raw.origin}: {error.message}", error.hint) from None
