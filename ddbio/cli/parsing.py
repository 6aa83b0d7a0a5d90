"""An argparse parser whose errors are one line that suggests the nearest option for a misspelt one.

It also notes which options were given, so that `ddbio.cli.option_rules` can refuse those that would be ignored, and
refuses a second value for an option that takes one. Options that are configured (`ddbio.cli.configuration`) are added
to those that were given, unless they would be ignored.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ddbio.cli.option_rules import Rules
from ddbio.errors import UsageError
from ddbio.natural import check_encodable
from ddbio.options import check_not_blank
from ddbio.system.terminal import write_out
from ddbio.version import __version__

if TYPE_CHECKING:
    from ddbio.cli.configuration import Setting

_LONG_OPTION = re.compile(r"--[A-Za-z][\w-]*")
OF_CONFIGURATION = ("--config", "--settings")
_SEE_HELP = "--help lists the options"
_ALIKE = 0.75  # of difflib; with less, --limit is like --delimiter


class Parser(argparse.ArgumentParser):
    """verb: whose options may be configured; None if nothing may.

    rules: for each long option its rule; None if it always applies.
    surplus_hint: the remedy for a word that belongs to no option.
    """

    def __init__(self, *, verb: str | None, rules: Rules, surplus_hint: str, **settings: Any) -> None:
        self.verb = verb
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
        if verb is not None:
            group = self.add_argument_group("configuration", "See docs/configuration.md; ddbio config shows it.")
            group.add_argument(
                "--config",
                metavar="FILE",
                help="options from this file (default: $DDBIO_CONFIG, ~/.config/ddbio/config.toml)",
            )
            group.add_argument("--settings", metavar="NAME", help="options from [profile.NAME] of that file")

    @property
    def options(self) -> dict[str, argparse.Action]:
        """By its long name, each option that could be configured."""
        return {
            action.option_strings[-1]: action
            for action in self._actions
            if {"--help", "--version", *OF_CONFIGURATION}.isdisjoint(action.option_strings)
        }

    def parse(self, argv: Sequence[str] | None = None) -> argparse.Namespace:
        """The parsed options. Raises UsageError; SystemExit(0) after --help and --version."""
        words = sys.argv[1:] if argv is None else list(argv)
        for number, word in enumerate(words, 1):
            check_encodable(f"word {number} of the command line", word)
        self._refuse_misspelt(words)
        settings = self._settings(words)
        given, surplus = self.parse_known_args(_with(settings, words))
        if surplus:
            self._refuse_surplus(surplus[0])
        self._refuse_blank(given)
        if broken := self._broken_rules(given):
            rule = self.rules[broken[0]]
            assert rule is not None
            raise UsageError(f"{broken[0]} applies only {rule.only}", rule.hint)
        vars(given).update(settings_in_force=settings, words=words)
        return given

    def parse_incomplete(self, words: Sequence[str]) -> argparse.Namespace:
        """The options of a command that lacks some, without its settings and without the rules."""
        required = [action for action in self._actions if action.required]
        for action in required:
            action.required = False
        try:
            return self.parse_known_args(words)[0]
        finally:
            for action in required:
                action.required = True

    def _settings(self, words: Sequence[str]) -> list[Setting]:
        """Those in force: not those that are also on the command line, nor those that have no effect with it."""
        if self.verb is None:
            return []
        typed = self.parse_incomplete(words)
        self._refuse_blank(typed)
        from ddbio.cli.configuration import settings_of

        found = settings_of(self, typed.config, typed.settings)
        settings = [each for name, each in found.items() if name not in given_options(typed) and each.words]
        return self._with_effect(settings, words) if settings else settings

    def _with_effect(self, settings: list[Setting], words: Sequence[str]) -> list[Setting]:
        """A setting that breaks a rule, or makes an option of the command line break one, gives way."""
        while broken := self._broken_rules(self.parse_known_args(_with(settings, words))[0]):
            name, rest = broken[0], [each for each in settings if each.option not in broken]
            if len(rest) == len(settings):
                free = [each for each in settings if not self._option_string_actions[each.option].required]
                without = ([other for other in settings if other is not each] for each in free)
                rest = next((each for each in without if name not in self._broken_in(each, words)), settings)
            if rest is settings:
                break
            settings = rest
        return settings

    def _broken_in(self, settings: list[Setting], words: Sequence[str]) -> list[str]:
        return self._broken_rules(self.parse_known_args(_with(settings, words))[0])

    def _broken_rules(self, given: argparse.Namespace) -> list[str]:
        """The options that would be ignored."""
        rules = ((option, self.rules.get(option)) for option in sorted(given_options(given)))
        return [option for option, rule in rules if rule is not None and not rule.holds(given)]

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, _SEE_HELP)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is none of an option's choices."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        import difflib

        nearest = difflib.get_close_matches(str(value), choices, n=1)
        all_of_them = f"choose one of {', '.join(choices)}"
        hint = f"did you mean {nearest[0]}? If not, {all_of_them}" if nearest else all_of_them
        raise UsageError(f"{action.option_strings[-1]} has no choice {str(value)!r}", hint)

    def _refuse_blank(self, given: argparse.Namespace) -> None:
        for option in sorted(given_options(given)):
            if not self.may_be_blank(option):
                dest = self._option_string_actions[option].dest
                check_not_blank(option, getattr(given, dest), edits=hasattr(given, "all"))

    @staticmethod
    def may_be_blank(option: str) -> bool:
        """A delimiter may be a tab, and an empty cell may mean null."""
        return option.startswith("--csv-")

    def check_value(self, action: argparse.Action, text: str) -> None:
        """Raises UsageError for a value that the option cannot have."""
        try:
            self._check_value(action, self._get_value(action, text))
        except argparse.ArgumentError as error:
            raise UsageError(error.message, f"that is no value of {action.option_strings[-1]}") from None

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
        import difflib

        options = {option.lstrip("-"): option for option in self._option_string_actions}
        nearest = difflib.get_close_matches(name.lstrip("-"), options, n=1, cutoff=_ALIKE)
        hint = f"did you mean {options[nearest[0]]}?" if nearest else _SEE_HELP
        raise UsageError(f"there is no option {name}", hint)

    def _print_message(self, message: str, file: Any = None) -> None:
        """argparse ignores a full disk here; --help and --version must report it."""
        write_out(message)


def given_options(namespace: argparse.Namespace) -> dict[str, str]:
    """The long names of the options that were given, each with the spelling the user chose."""
    given: dict[str, str] = vars(namespace).setdefault("given_options", {})
    return given


def settings_in_force(given: argparse.Namespace) -> list[Setting]:
    """The configured options that the command uses, in addition to those of the command line."""
    settings: list[Setting] = given.settings_in_force
    return settings


def words_in_force(given: argparse.Namespace) -> list[str]:
    """The command line that does the same without any configuration, except for the folder of the job's state."""
    settings = (each for each in settings_in_force(given) if each.option != "--state-dir")
    return [*_without_configuration(given.words), *(word for each in settings for word in each.words)]


def _without_configuration(words: Sequence[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        if word in OF_CONFIGURATION:
            next(rest, None)
        elif word.partition("=")[0] not in OF_CONFIGURATION:
            yield word


def _with(settings: list[Setting], words: Sequence[str]) -> list[str]:
    return [*(word for each in settings for word in each.words), *words]


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
        if values == [] and self.nargs is None:  # before Python 3.13, argparse takes the value of --option=-- away
            raise argparse.ArgumentError(self, "-- is no value")
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
