"""An argparse parser whose errors are one line that suggests the nearest option for a misspelt one.

It also notes which options were given, so that `ddbio.cli.option_rules` can refuse those that would be ignored, and
refuses a second value for an option that takes one.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from ddbio.cli.option_rules import Rules
from ddbio.errors import UsageError
from ddbio.options import check_not_blank
from ddbio.system.terminal import write_out
from ddbio.version import __version__

_LONG_OPTION = re.compile(r"--[A-Za-z][\w-]*")
_SEE_HELP = "--help lists the options"


class Parser(argparse.ArgumentParser):
    """rules: for each long option its rule; None if it always applies.

    surplus_hint: the remedy for a word that belongs to no option.
    """

    def __init__(self, *, rules: Rules, surplus_hint: str, **settings: Any) -> None:
        self.rules = rules
        self.surplus_hint = surplus_hint
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, exit_on_error=True, **settings
        )
        self.register("action", None, _StoreOnce)
        self.register("action", "store", _StoreOnce)
        self.register("action", "append", _Append)
        self.register("action", "store_true", _Flag)
        self.add_argument("--version", action="version", version=f"%(prog)s {__version__}")

    def parse(self, argv: Sequence[str] | None = None) -> argparse.Namespace:
        """The parsed options. Raises UsageError; SystemExit(0) after --help and --version."""
        words = sys.argv[1:] if argv is None else list(argv)
        self._refuse_misspelt(words)
        given, surplus = self.parse_known_args(words)
        if surplus:
            self._refuse_surplus(surplus[0])
        self._refuse_blank(given)
        for option in sorted(given_options(given)):
            rule = self.rules.get(option)
            if rule is not None and not rule.holds(given):
                raise UsageError(f"{option} applies only {rule.only}", rule.hint)
        return given

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, _SEE_HELP)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is none of an option's choices."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        nearest = difflib.get_close_matches(str(value), choices, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"choose one of {', '.join(choices)}"
        raise UsageError(f"{action.option_strings[-1]} has no choice {str(value)!r}", hint)

    def _refuse_blank(self, given: argparse.Namespace) -> None:
        for option in sorted(given_options(given)):
            if not option.startswith("--csv-"):  # a delimiter may be a tab, and an empty cell may mean null
                dest = self._option_string_actions[option].dest
                check_not_blank(option, getattr(given, dest), edits=hasattr(given, "all"))

    def _refuse_misspelt(self, words: Sequence[str]) -> None:
        """Runs before argparse, which would report a missing option first when that option was misspelt."""
        if {"-h", "--help", "--version"} & {*words}:
            return
        for word in words[: words.index("--") if "--" in words else None]:
            name = word.partition("=")[0]
            if " " not in word and _LONG_OPTION.fullmatch(name) and name not in self._option_string_actions:
                self._refuse_surplus(word)

    def _refuse_surplus(self, word: str) -> NoReturn:
        if not word.startswith("-") or word == "-":
            raise UsageError(f"{word!r} belongs to no option", self.surplus_hint)
        name = word.partition("=")[0]
        nearest = difflib.get_close_matches(name, self._option_string_actions, n=1)
        raise UsageError(f"there is no option {name}", f"did you mean {nearest[0]}?" if nearest else _SEE_HELP)

    def _print_message(self, message: str, file: Any = None) -> None:
        """argparse ignores a full disk here; --help and --version must report it."""
        write_out(message)


def given_options(namespace: argparse.Namespace) -> dict[str, str]:
    """The long names of the options that were given, each with the spelling the user chose."""
    given: dict[str, str] = vars(namespace).setdefault("given_options", {})
    return given


class _Noted(argparse.Action):
    once = False

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        given, name = given_options(namespace), self.option_strings[-1]
        if self.once and name in given:
            raise argparse.ArgumentError(self, "given twice, and it takes one value")
        given[name] = option_string or name
        super().__call__(parser, namespace, values, option_string)


class _StoreOnce(_Noted, argparse._StoreAction):
    once = True


class _Append(_Noted, argparse._AppendAction):
    pass


class _Flag(_Noted, argparse._StoreTrueAction):
    pass
