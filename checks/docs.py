"""The parts of the docs that are made from the code: `python -m checks.docs` writes them anew (`make docs`).

docs/cli.md and the man page from the parsers of the commands; the counts and equations in docs/reliability.md; the
rates in docs/costs.md; and the drawing of the packages in docs/architecture.md, from the imports in the source. Tests
fail if they differ from what this module would write.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from checks.man import man_page
from checks.packages import drawing
from ddbio.cli.main import VERBS
from ddbio.cli.parsing import Parser
from ddbio.forecast.prices import RATES
from ddbio.messages.counts import COUNTS, Side, equation
from ddbio.messages.counts import VERBS as COUNTING

ROOT = Path(__file__).resolve().parent.parent
CLI = ROOT / "docs" / "cli.md"
MAN = ROOT / "docs" / "ddbio.1"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
RELIABILITY = ROOT / "docs" / "reliability.md"
COSTS = ROOT / "docs" / "costs.md"

# Where an option is described at length: its page, below docs.
PAGES = {
    "--source": "sources-and-destinations.md",
    "--destination": "sources-and-destinations.md",
    "--native-layout": "sources-and-destinations.md#--native-layout",
    "--no-verify": "sources-and-destinations.md#exports-by-ddbexportpy",
    "--capacity": "governor.md",
    "--format": "formats.md",
    "--mode": "shaping.md",
    "--attributes": "shaping.md",
    "--filter": "shaping.md",
    "--transform": "shaping.md",
    "--s3-expected-bucket-owner": "aws.md",
    "--rejects": "rejects.md",
    "--fresh": "reliability.md",
    "--prices": "costs.md#prices",
    "--report": "reliability.md#files-beside-the-data",
}

_HEAD = """\
# Options of the commands

Made from the parsers by `make docs`; `--help` prints the same with examples. `ddbio import`, `ddbio export` and
`ddbio generate` are the three scripts under other names. An option that would have no effect is refused; *only* says
when it has one. Options can be [configured](configuration.md): each has a variable (`DDBIO_CAPACITY` for
`--capacity`) and a key in a file, and every command has `--config FILE` and `--settings NAME`.
"""
_DEFAULT = re.compile(r" ?\((?:default:? )([^()]*)\)|\.? Default (\w+)$")
_OPTION = re.compile(r"(?<![\w/`*-])--?[a-z][a-z0-9-]*(?:-[a-z]+)*\b(?!\.)")


def cli_page() -> str:
    """The text of docs/cli.md."""
    commands = ((verb.script, f"ddbio {name}", verb.parser()) for name, verb in VERBS.items())
    return "\n".join(
        [_HEAD, *(_command(script or name, name, parser) for script, name, parser in commands if parser)]
    )


def architecture_page(text: str) -> str:
    """The text of docs/architecture.md with a new drawing of the packages."""
    start, drawn, rest = re.split(r"(?s)(?<=<!-- packages -->\n```\n)(.*?)(?=```)", text, maxsplit=1)
    assert drawn
    return start + drawing() + rest


def reliability_page(text: str) -> str:
    """The text of docs/reliability.md with the counts and equations of `ddbio.messages.counts`."""
    for mark, lines in {"equations": _equations(), "counts": _counts()}.items():
        before, after = text.split(f"<!-- {mark} -->\n")
        text = f"{before}<!-- {mark} -->\n" + "\n".join(lines) + "\n\n" + after.split("\n\n", 1)[1]
    return text


def costs_page(text: str) -> str:
    """The text of docs/costs.md with the rates of `ddbio.forecast.prices`."""
    before, after = text.split("<!-- rates -->\n")
    rates = [f"- `{rate}`: {unit}" for rate, unit in RATES.items()]
    return f"{before}<!-- rates -->\n" + "\n".join(rates) + "\n\n" + after.split("\n\n", 1)[1]


def _equations() -> list[str]:
    return [f"- {verb}: `{equation(verb)}`" for verb in COUNTING]


def _counts() -> list[str]:
    sides = {Side.IN: "came in", Side.OUT: "went out", Side.PART: "", Side.NONE: ""}
    rows = [f"| `{each.name}` | {each.meaning} | {', '.join(each.verbs)} | {sides[each.side]} |" for each in COUNTS]
    return ["| count | what is counted | of | in the equation |", "|---|---|---|---|", *rows]


def _command(script: str, verb: str, parser: Parser) -> str:
    other_name = f" The same as `{verb}`." if verb != script else ""
    sections = [f"## {script}\n\n{parser.description}{other_name}\n"]
    for group in parser._action_groups:
        options = [action for action in group._group_actions if action in parser.options.values()]
        if options:
            sections.append("\n".join(_group(parser, group.title or "", group.description or "", options)))
    return "\n".join(sections)


def _group(parser: Parser, title: str, description: str, options: list[argparse.Action]) -> Iterator[str]:
    if title != "options":
        yield f"### {title[0].upper()}{title[1:]}\n"
    if description:
        yield re.sub(r"docs/(\w+\.md)", r"[\1](\1)", description) + "\n"
    yield "| option | meaning | default |"
    yield "|---|---|---|"
    for action in sorted(options, key=lambda action: not action.required):
        meaning, default = _meaning(parser, action)
        yield f"| {_usage(action)} | {meaning} | {default} |"
    yield ""


def _names(action: argparse.Action) -> set[str]:
    return set(action.option_strings)


def _usage(action: argparse.Action) -> str:
    """`-p`, `--processes N`"""
    *others, last = action.option_strings
    if action.nargs != 0:
        value = action.metavar or "|".join(action.choices or ()) or action.dest.upper()
        last += f" {value}"
    return ", ".join(f"`{text}`" for text in [*others, last]).replace("|", r"\|")


def _meaning(parser: Parser, action: argparse.Action) -> tuple[str, str]:
    """What the help says, with links and conditions, and the default apart."""
    text = parser._get_formatter()._expand_help(action)
    stated = _DEFAULT.search(text)
    default = "required" if action.required else "" if stated is None else stated.group(1) or stated.group(2)
    meaning = _marked(_DEFAULT.sub("", text))
    option = action.option_strings[-1]
    rule = parser.rules.get(option)
    if rule is not None:
        meaning += f"; *only {_marked(rule.only)}*"
    if option in PAGES:
        meaning += f" ([more]({PAGES[option]}))"
    return meaning, _marked(default)


def _marked(text: str) -> str:
    """Plain text as Markdown: options in code quotes, and nothing else special."""
    return _OPTION.sub(lambda found: f"`{found.group()}`", re.sub(r"([\\|*<])", r"\\\1", text))


def main() -> None:
    CLI.write_text(cli_page())
    MAN.write_text(man_page())
    ARCHITECTURE.write_text(architecture_page(ARCHITECTURE.read_text()))
    RELIABILITY.write_text(reliability_page(RELIABILITY.read_text()))
    COSTS.write_text(costs_page(COSTS.read_text()))


if __name__ == "__main__":
    main()
