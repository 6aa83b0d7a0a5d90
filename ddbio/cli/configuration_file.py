"""The configuration file: where it is, and what may be in it.

    capacity = 500                          # of every verb that has the option
    [export]                                # of one verb
    compress = "zstd"
    [profile.nightly]                       # with --settings nightly
    capacity = "50%"
    [profile.nightly.export]
    destination = "s3://my-bucket/orders/"

The later of the four has precedence. Every key of the file is checked, also in parts that are not in use. The file is
--config, $DDBIO_CONFIG, or config.toml in $XDG_CONFIG_HOME/ddbio or ~/.config/ddbio.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ddbio.errors import UsageError

if TYPE_CHECKING:
    from ddbio.cli.parsing import Parser

Options = Mapping[str, argparse.Action]  # by long name
PROFILES = "profile"  # the table of the profiles; so the option --profile has another name in the file
AWS_PROFILE = "aws-profile"

# Confirmations, and what begins anew, destroys or does nothing: each time they have to be meant.
TYPED_ONLY = {"--yes", "--all", "--force", "--overwrite", "--allow-partial", "--fresh", "--plan"}
TYPED_ONLY_VALUES = {"--mode": "delete", "--if-exists": "overwrite"}
# What a job reads, writes, leaves out, changes, checks: from a variable or a chosen profile, not for every command.
CHOSEN_ONLY = {
    *("--table", "--source", "--destination", "--to", "--file", "--count", "--query", "--output", "--keep"),
    *("--backup", "--rejects", "--key", "--create-table", "--mode", "--index", "--filter", "--values", "--names"),
    *("--limit", "--sample", "--attributes", "--columns", "--ignore", "--keys-only", "--rename", "--drop", "--set"),
    *("--transform", "--remove", "--update-expression", "--once", "--order-by", "--no-verify", "--allow-unfinished"),
}


@dataclass(frozen=True, slots=True)
class Raw:
    """A value as it was configured. value: a text or a bool from a variable; of TOML from the file."""

    option: str
    value: object
    origin: str


def path_of_file(asked: str | None) -> Path | None:
    """The file in force; None if there is none. Raises UsageError if one that was named is missing."""
    named = asked or os.environ.get("DDBIO_CONFIG")
    if named is None:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or "")
        try:
            place = (base if base.is_absolute() else Path("~/.config").expanduser()) / "ddbio" / "config.toml"
        except RuntimeError:  # no home folder
            return None
        return place if os.path.exists(place) else None  # noqa: PTH110 - Path.exists raises in a folder of another user
    if not os.path.exists(named):  # noqa: PTH110 - the same
        origin = "--config" if asked else "DDBIO_CONFIG"
        raise UsageError(f'there is no configuration file "{named}" ({origin})', "check its path")
    return Path(named)


def profile_of(asked: str | None) -> str | None:
    """The name of the profile in force."""
    return asked or os.environ.get("DDBIO_SETTINGS")


@lru_cache(maxsize=1)  # a pipe can be read once
def content_of(path: Path) -> dict[str, object]:
    """The file's content. Raises UsageError."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as file:
            content: dict[str, object] = tomllib.load(file)
    except OSError as error:
        raise UsageError(f'cannot read the configuration file "{path}": {error.strerror}', "check it") from None
    except UnicodeDecodeError:
        raise UsageError(f'"{path}" is not TOML: it is not a text in UTF-8', "is it another file?") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f'"{path}" is not TOML: {error}', f"a key must not come twice; --profile is {AWS_PROFILE} there"
        ) from None
    return content


def from_file(parser: Parser, asked: str | None, asked_profile: str | None) -> Iterator[Raw]:
    """The values for a command, from the lowest precedence to the highest. asked: --config; asked_profile:
    --settings. Raises UsageError."""
    path, profile = path_of_file(asked), profile_of(asked_profile)
    if path is None:
        if profile is not None:
            raise UsageError(
                f"the settings {profile!r} are in no file", "there is no configuration file; see --config"
            )
        return
    content = content_of(path)
    profiles = profiles_in(content, path)
    check_file(content, path, parser.options)
    if profile is not None and profile not in profiles:
        names = f"it has {', '.join(profiles)}" if profiles else "it has no profiles"
        refuse_unknown(f"{path} has no [{PROFILES}.{profile}]", profile, [*profiles], names)
    yield from _of_section(parser, content, f"{path}: ")
    if profile is not None:
        yield from _of_section(parser, profiles[profile], f"{path}: {PROFILES}.{profile}.")


def profiles_in(content: Mapping[str, object], path: Path) -> dict[str, dict[str, object]]:
    """By name. Raises UsageError."""
    profiles = content.get(PROFILES, {})
    hint = f"--profile, of AWS, is {AWS_PROFILE} in this file"
    if not isinstance(profiles, dict):
        raise UsageError(f"{path}: {PROFILES} is no table of profiles", hint)
    for name, each in profiles.items():
        if not isinstance(each, dict):
            raise UsageError(f"{path}: {PROFILES}.{name} is no table", f"write [{PROFILES}.NAME]; {hint}")
    return profiles


def _of_section(parser: Parser, section: Mapping[str, object], where: str) -> Iterator[Raw]:
    """The values of a section for every verb, then those of its table for this verb."""
    own = section.get(parser.verb or "")
    for prefix, table in ((where, section), (f"{where}{parser.verb}.", own if isinstance(own, dict) else {})):
        for key, value in table.items():
            if not isinstance(value, dict) and option_of_key(key) in parser.options:
                yield Raw(option_of_key(key), value, f"{prefix}{key}")


def option_of_key(key: str) -> str:
    return "--profile" if key == AWS_PROFILE else f"--{key}"


# -- checks of keys


def check_file(content: Mapping[str, object], path: Path, near: Options) -> None:
    """Raise UsageError for a key that is unknown or must not be there.

    near: options that are known to exist, so that the commands of all verbs need not be loaded for them.
    """
    _check_section(content, f"{path}: ", near, chosen=False)
    for name, each in profiles_in(content, path).items():
        _check_section(each, f"{path}: {PROFILES}.{name}.", near, chosen=True)


def _check_section(section: Mapping[str, object], where: str, near: Options, *, chosen: bool) -> None:
    from ddbio.cli.main import VERBS

    for key, value in section.items():
        if not isinstance(value, dict):
            _check_key(key, where, near if option_of_key(key) in near else all_options(), chosen=chosen)
        elif key in VERBS:
            _check_verb(value, f"{where}{key}.", options_of_verb(key), chosen=chosen)
        elif key != PROFILES or chosen:
            refuse_unknown(f"{where}{key} is no verb", key, [*VERBS], f"tables are verbs, and [{PROFILES}.NAME]")


def _check_verb(section: Mapping[str, object], where: str, known: Options, *, chosen: bool) -> None:
    for key, value in section.items():
        _check_key(key, where, known, chosen=chosen)
        if isinstance(value, dict):
            raise UsageError(f"{where}{key} is a table", "give a string, a number, true or false")


def _check_key(key: str, where: str, known: Options, *, chosen: bool) -> None:
    option, origin = option_of_key(key), f"{where}{key}"
    if key == "profile":
        raise UsageError(f"{origin}: --profile is {AWS_PROFILE} in this file", f"[{PROFILES}.NAME] is a part of it")
    if option not in known:
        keys = [AWS_PROFILE if each == "--profile" else each.removeprefix("--") for each in known]
        refuse_unknown(f"{origin} is no option there", key, keys, "ddbio VERB --help lists the options")
    if option in TYPED_ONLY:
        refuse_typed_only(origin, option)
    if option in CHOSEN_ONLY and not chosen:
        raise UsageError(
            f"{origin}: {option} decides what a job works on, and cannot be set for every command",
            f"put it into a [{PROFILES}.NAME], which is in force with --settings NAME",
        )


def refuse_typed_only(origin: str, option: str) -> NoReturn:
    raise UsageError(f"{origin}: {option} can only be given on the command line", "it has to be meant each time")


def refuse_unknown(problem: str, name: str, known: list[str], otherwise: str) -> NoReturn:
    import difflib

    nearest = difflib.get_close_matches(name, known, n=1)
    raise UsageError(problem, f"did you mean {nearest[0]}?" if nearest else otherwise)


# -- the options there are


@cache
def options_of_verb(verb: str) -> Options:
    """All that its command line has."""
    from ddbio.cli.main import VERBS

    parser = VERBS[verb].parser()
    return {} if parser is None else parser.options


def all_options() -> Options:
    """The options of all verbs. Loads their commands, which takes a tenth of a second."""
    from ddbio.cli.main import VERBS

    return {option: action for verb in VERBS for option, action in options_of_verb(verb).items()}
