"""What the commands say of themselves: `--help`, its examples, and the README beside it, held together."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import ddbio
from ddbio.cli import ddbexport, ddbgenerate, ddbimport
from ddbio.cli.main import VERBS
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES
from ddbio.flow.import_job import DEFAULT_IMPORT_LANES
from ddbio.simulator import Simulator
from tests.endpoints import Endpoint
from tests.support.commands import CHECKOUT, Commands
from tests.support.items import plain_items, write_items

PARSERS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "DDBImport.py": ddbimport.parser,
    "DDBExport.py": ddbexport.parser,
    "GenerateTestData.py": ddbgenerate.parser,
}
LANES = {"DDBImport.py": DEFAULT_IMPORT_LANES, "DDBExport.py": DEFAULT_EXPORT_LANES}
ABOUT_ITSELF = {"-h", "--help", "--version"}
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z0-9-]*")
README = (CHECKOUT / "README.md").read_text()

every_script = pytest.mark.parametrize("script", list(PARSERS))
transfers = pytest.mark.parametrize("script", list(LANES))


def parser_of(script: str, monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    monkeypatch.setattr(sys, "argv", [script])  # from where a parser takes its name if nobody gives it one
    return PARSERS[script]()


def actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if not set(action.option_strings) & ABOUT_ITSELF]


# --------------------------------------------------------------------------- help


@every_script
def test_help_tells_every_option_and_exit_code(
    commands: Commands, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = commands.run(CHECKOUT / script, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"usage: {script} [-h]")
    for action in actions(parser_of(script, monkeypatch)):
        assert action.help
        assert all(option in done.out for option in action.option_strings)
    assert "examples:\n  1. " in done.out
    assert "exit codes: 0 " in done.out
    assert max(map(len, done.out.splitlines())) <= 120


@every_script
def test_version(commands: Commands, script: str) -> None:
    done = commands.run(CHECKOUT / script, "--version")
    assert (done.code, done.out, done.err) == (0, f"{script} {ddbio.__version__}\n", "")


@every_script
def test_a_command_without_options_says_which_it_needs(commands: Commands, script: str) -> None:
    done = commands.run(CHECKOUT / script)
    assert (done.code, done.out) == (2, "")
    assert "the following arguments are required: -" in done.err.splitlines()[-1]


@every_script
def test_options_are_not_guessed_from_their_beginning(commands: Commands, script: str) -> None:
    """A script that relies on `--cap` breaks when an option is added."""
    done = commands.run(CHECKOUT / script, "--vers")
    assert (done.code, done.out) == (2, "")


# --------------------------------------------------------------------------- README


def test_readme_names_only_options_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"--account", *ABOUT_ITSELF}  # of iam-policy, which has no parser
    for script in PARSERS:
        options |= {option for action in actions(parser_of(script, monkeypatch)) for option in action.option_strings}
    for parser in filter(None, (verb.parser() for verb in VERBS.values())):
        options |= {option for action in actions(parser) for option in action.option_strings}
    quoted = re.findall(r"`([^`\n]+)`|^(?:\$ )?\./(DDB.*|Gen.*)$", README, re.MULTILINE)
    named = {option for texts in quoted for option in OPTION.findall("".join(texts))}
    assert {"-c", "-s", "--mode"} <= named <= options | {"-m"}


@transfers
def test_the_default_of_lanes_is_that_of_the_code(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (lanes,) = (action.help or "" for action in actions(parser_of(script, monkeypatch)) if action.dest == "lanes")
    assert re.search(rf"\(default: {LANES[script]}\b", lanes)


def test_the_session_of_readme_is_a_real_one(commands: Commands, simulator: Simulator) -> None:
    """With fewer items the commands print the same words; progress shows only in long runs."""
    simulator.create_table("Orders", "hash:S", "range:S", wcu=4000, rcu=100)
    (session,) = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    steps = re.findall(r"^\$ \./(.+)\n((?:[^$].*\n)+)", session, re.MULTILINE)
    assert [command.split()[0] for command, _ in steps] == ["GenerateTestData.py", "DDBImport.py", "DDBExport.py"]
    for command, shown in steps:
        script, *arguments = command.replace("-c 20000", "-c 200").split()
        done = commands.run(CHECKOUT / script, *arguments)
        assert done.code == 0, done.err
        printed = (done.err + done.out).splitlines()
        assert masked(printed) == masked(line for line in shown.splitlines() if "% done" not in line)


def masked(lines: Iterable[str]) -> list[str]:
    """Without numbers, times and plurals. Few items need no processes of their own."""
    lines = [line.replace("in this process", "with 1 process") for line in lines]
    return [re.sub(r"(process|segment)(es|s)?\b", r"\1", re.sub(r"\d[\d,.:T-]*", "#", line)) for line in lines]


# --------------------------------------------------------------------------- examples


def examples(script: str) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        epilog = parser_of(script, patch).epilog or ""
    parts = re.split(r"^  \d+\. .*\n", epilog.partition("exit codes:")[0], flags=re.MULTILINE)[1:]
    return [part.strip() for part in parts]


def make_manifest(folder: Path) -> None:
    keys = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
    types = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}
    size = (folder / "orders.json").stat().st_size
    listed = {"name": "orders.json", "items": 20, "bytes": size, "checksum": ""}
    content = {"tool": "ddbio 0.1.0", "items": 20, "files": [listed], "table": {**keys, **types}}
    (folder / "_manifest.json").write_text(json.dumps(content))


@pytest.fixture
def world(simulator: Simulator, s3: Endpoint, tmp_path: Path) -> dict[str, str]:
    """Everything that the examples speak of, small; and by what to replace words of theirs."""
    simulator.create_table("Orders", "id:S", wcu=4000, rcu=4000).put_items(plain_items(50))
    write_items(tmp_path / "orders.json", plain_items(20))
    write_items(tmp_path / "old.json", plain_items(20))
    (tmp_path / "orders.csv").write_text("id,amount,tags\n" + "".join(f'k{n},{n},"[""a""]"\n' for n in range(20)))
    write_items(tmp_path / "part-1.json", plain_items(20))
    write_items(tmp_path / "exported-before" / "orders.json", plain_items(20))
    (tmp_path / "shape.py").write_text("def shape(item):\n    return item\n")
    make_manifest(tmp_path / "exported-before")
    bucket = f"examples-{uuid.uuid4().hex[:12]}"
    s3.client().create_bucket(Bucket=bucket)
    s3.client().put_object(Bucket=bucket, Key="for-import/orders.json", Body=b'{"id": "a"}\n')
    return {"my-bucket": bucket, "http://127.0.0.1:8000": simulator.url, "-c 1000000 ": "-c 1000 "}


@pytest.mark.parametrize(
    ("script", "example"),
    [
        pytest.param(script, number, id=f"{script}-{number + 1}")
        for script in PARSERS
        for number in range(len(examples(script)))
    ],
)
@pytest.mark.fuller
def test_an_example_of_the_help_works(
    commands: Commands, world: dict[str, str], tmp_path: Path, script: str, example: int
) -> None:
    if script == "DDBImport.py":  # what an import reads another example's export has written
        world |= {"-s exported/": "-s exported-before/", "/orders/": "/for-import/"}
    text = examples(script)[example]
    for word, replacement in world.items():
        text = text.replace(word, replacement)
    program, *arguments = shlex.split(text.removeprefix("python3 "))
    assert program == script
    done = commands.run(CHECKOUT / script, *arguments)
    assert done.code == 0, done.err
    if script != "GenerateTestData.py":
        assert re.match(r"\d+ read, \d+ exported", done.out) or done.out.splitlines()[0].startswith(
            (
                "20 read, 20 written",
                "1 read, 1 written",
                "20 read, 0 written, 0 rejected, 20 skipped",
                "20 read, 20 deleted",
            )
        )
    elif "-" not in arguments:
        assert (tmp_path / arguments[arguments.index("-f") + 1]).stat().st_size


@every_script
def test_there_are_examples(script: str) -> None:
    assert len(examples(script)) >= 4
