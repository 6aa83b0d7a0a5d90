"""`ddbio config`: the options that are configured, and where each comes from."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddbio.aws.redaction import hide
from ddbio.cli import arguments
from ddbio.cli.configuration import settings_of
from ddbio.cli.configuration_file import content_of, path_of_file, profile_of, profiles_in
from ddbio.cli.option_rules import Rules
from ddbio.cli.parsing import Parser
from ddbio.cli.run import run
from ddbio.errors import EXIT_OK, UsageError
from ddbio.system.terminal import write_out

PROGRAM = "ddbio config"
RULES: Rules = {"--json": None}

EXAMPLES = """\
examples:
  1. all options that variables and the configuration file set; and whether these are in order, for every verb
       {command}
  2. all options of a verb, each with its value and where that comes from
       {command} import
  3. the same with a profile of the file
       {command} export --settings nightly

exit codes: 0 all is in order; 2 a variable or a key of the file is not
"""


@dataclass(frozen=True, slots=True)
class Line:
    """An option in force. value: empty if there is none. origin: a variable, a file and key, `default`, `required`.

    verbs: those that use it. only: the condition under which they do.
    """

    option: str
    value: str
    origin: str
    verbs: tuple[str, ...]
    only: str = ""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Show the options that variables (DDBIO_CAPACITY for --capacity) and the configuration file set.",
        EXAMPLES,
        verb="config",
        rules=RULES,
        surplus_hint="name one verb, before the options",
        usage="%(prog)s [VERB] [options]",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def main() -> int:
    return run(PROGRAM, lambda command: _perform(sys.argv[1:]))


def _perform(words: Sequence[str]) -> int:
    verb = words[0] if words and not words[0].startswith("-") else None
    given = parser().parse(words[verb is not None :])
    lines = [*_of_all_verbs(given)] if verb is None else [*_of_verb(verb, given)]
    path, profile = path_of_file(given.config), profile_of(given.settings)
    if given.json:
        write_out(_as_json(path, profile, verb, lines))
        return EXIT_OK
    write_out("".join(f"{line}\n" for line in [_about(path, profile), *_table(lines)]))
    return EXIT_OK


def _of_verb(verb: str, given: argparse.Namespace) -> Iterator[Line]:
    """Every option of the verb, those that are configured first."""
    parser = _parser_of(verb)
    settings = settings_of(parser, given.config, given.settings)
    for option, setting in settings.items():
        rule = parser.rules.get(option)
        yield Line(option, hide(setting.value), setting.origin, (verb,), "" if rule is None else rule.only)
    for option, action in parser.options.items():
        if option not in settings:
            value = "off" if action.nargs == 0 else "" if action.default in (None, [], ()) else str(action.default)
            yield Line(option, value, "required" if action.required else "default", (verb,))


def _of_all_verbs(given: argparse.Namespace) -> Iterator[Line]:
    """What is configured, for every verb."""
    from ddbio.cli.main import VERBS

    users: dict[Line, list[str]] = {}
    for verb, subcommand in VERBS.items():
        parser = subcommand.parser()
        if parser is not None:
            for setting in settings_of(parser, given.config, given.settings).values():
                line = Line(setting.option, hide(setting.value), setting.origin, ())
                users.setdefault(line, []).append(verb)
    for line, verbs in sorted(users.items(), key=lambda each: each[0].option):
        yield Line(line.option, line.value, line.origin, tuple(verbs))


def _parser_of(verb: str) -> Parser:
    """Raises UsageError."""
    from ddbio.cli.main import VERBS

    parser = VERBS[verb].parser() if verb in VERBS else None
    if parser is None:
        problem = f"{verb} has no options that could be configured" if verb in VERBS else f"there is no verb {verb!r}"
        nearest = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest and verb not in VERBS else "ddbio --help lists the verbs"
        raise UsageError(problem, hint)
    return parser


def _about(path: Path | None, profile: str | None) -> str:
    if path is None:
        return "no configuration file"
    profiles = [*profiles_in(content_of(path), path)]
    unused = [each for each in profiles if each != profile]
    parts = [f"with the settings {profile}"] * (profile is not None)
    parts += [f"not in force: {', '.join(unused)}"] * bool(unused)
    return ", ".join([f"file: {path}", *parts])


def _table(lines: Sequence[Line]) -> Iterator[str]:
    """In three columns."""
    if not lines:
        yield "nothing is configured"
        return
    width = max(len(line.option) for line in lines)
    wide = max(len(line.value or "-") for line in lines if len(line.value) < 40)
    for line in lines:
        verbs = ", ".join(line.verbs) if len(line.verbs) < 5 else f"{len(line.verbs)} verbs"
        notes = [f"only {line.only}"] * bool(line.only) + [f"for {verbs}"] * (len(line.verbs) != 1)
        yield f"{line.option:{width}}  {line.value or '-':{wide}}  {'; '.join([line.origin, *notes])}"


def _as_json(path: Path | None, profile: str | None, verb: str | None, lines: Sequence[Line]) -> str:
    options = [
        {"option": each.option, "value": each.value or None, "from": each.origin, "verbs": each.verbs}
        | ({"only": each.only} if each.only else {})
        for each in lines
    ]
    facts = {"version": 1, "file": None if path is None else str(path), "settings": profile, "verb": verb}
    return json.dumps({**facts, "options": options}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
