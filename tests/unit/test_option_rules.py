"""An option that would be ignored, given twice or misspelt is refused in one line. Every option is classified."""

from __future__ import annotations

import sys

import pytest

from ddbio.cli.main import VERBS
from ddbio.cli.option_rules import ENGINE, FormatRule, Rules
from ddbio.cli.parsing import Parser
from ddbio.errors import UsageError
from ddbio.formats import all_declarations
from ddbio.options import material

LEAST = {  # the required options of each command
    "import": ["-t", "Orders", "-s", "in"],
    "export": ["-t", "Orders", "-d", "out"],
    "count": ["-t", "Orders"],
    "copy": ["-t", "Orders", "--to", "Copies"],
    "diff": ["-t", "Orders", "--to", "Copy"],
    "delete": ["-t", "Orders"],
    "revert": ["-t", "Orders", "-s", "exported"],
    "find": ["-t", "Orders"],
    "sync": ["-t", "Orders", "--to", "Copy"],
    "verify": ["-s", "out"],
    "inspect": ["-t", "Orders"],
    "update": ["-t", "Orders"],
    "sql": ["--query", "SELECT 1"],
    "generate": ["-c", "1", "-f", "out"],
    "worker": ["--join", "driver:7070", "--token-file", "token"],
    "jobs": [],
    "report": [],
    "doctor": [],
    "config": [],
    "completion": [],
}


def test_every_verb_is_looked_at() -> None:
    assert {*LEAST} == {*VERBS} - {"iam-policy"}  # whose options are those of the other verbs


every_command = pytest.mark.parametrize("name", list(LEAST))


def command(name: str) -> tuple[Parser, Rules, list[str]]:
    parser = VERBS[name].parser()
    assert parser is not None
    return parser, parser.rules, LEAST[name]


def refusal(name: str, *more: str, least: bool = True) -> str:
    parser, _, needed = command(name)
    with pytest.raises(UsageError) as refused:
        parser.parse([*needed, *more] if least else more)
    assert "\n" not in str(refused.value) and "usage:" not in str(refused.value)
    return str(refused.value)


@every_command
def test_every_option_is_classified(name: str) -> None:
    """A new option says in `option_rules` whether it depends on another one."""
    parser, rules, _ = command(name)
    assert {*parser.options} == {*rules}


# By command and option: a value, where it needs one; and what makes it apply.
APPLIES: dict[str, dict[str, tuple[list[str], list[str]]]] = {
    "import": {
        "--json": ([], []),
        "--over-provisioned": ([], ["-c", "5"]),
        "--key": (["id:S"], ["--create-table"]),
        "--with-indexes": ([], ["--create-table"]),
        "--columns": (["a"], []),
        "--delimiter": ([";"], []),
        "--csv-types": (["a:N"], ["--format", "csv"]),
        "--infer-types": ([], ["--format", "csv"]),
        "--empty": (["null"], ["--format", "auto"]),
        "--csv-null": (["NULL"], []),
        "--csv-escape": (["\\"], []),
        "--keep-blanks": ([], []),
        "--verify-checksums": ([], []),
        "--fresh": ([], []),
        "--s3-sse": (["AES256"], ["--rejects", "s3://b/k"]),
        "--s3-sse-kms-key-id": (["k"], ["--rejects", "s3://b/k"]),
        "--s3-storage-class": (["GLACIER"], ["--rejects", "s3://b/k"]),
        "--s3-acl": (["private"], ["--rejects", "s3://b/k"]),
        "--s3-endpoint-url": (["http://h"], ["-s", "s3://b/k"]),
        "--s3-request-payer": (["requester"], ["-s", "s3://b/k"]),
        "--s3-expected-bucket-owner": (["123456789012"], ["-s", "s3://b/k"]),
    },
    "export": {
        "--json": ([], []),
        "--over-provisioned": ([], ["-c", "50%"]),
        "--size": (["5"], []),
        "--if-exists": (["fail"], []),
        "--fresh": ([], []),
        "--compress": (["gzip"], ["--format", "csv"]),
        "--columns": (["a"], ["--format", "parquet"]),
        "--numbers": (["string"], ["--format", "parquet"]),
        "--values": (["{}"], ["--filter", "a > :b"]),
        "--names": (["{}"], ["--attributes", "#a"]),
        "--seed": (["0"], ["--sample", "10%"]),
        "--s3-sse": (["AES256"], ["-d", "s3://b/k"]),
        "--s3-sse-kms-key-id": (["k"], ["-d", "s3://b/k"]),
        "--s3-storage-class": (["GLACIER"], ["-d", "s3://b/k"]),
        "--s3-acl": (["private"], ["-d", "s3://b/k"]),
        "--s3-endpoint-url": (["http://h"], ["-d", "s3://b/k"]),
        "--s3-request-payer": (["requester"], ["-d", "s3://b/k"]),
        "--s3-expected-bucket-owner": (["123456789012"], ["-d", "s3://b/k"]),
    },
    "count": {
        "--json": ([], []),
        "--over-provisioned": ([], ["-c", "5"]),
        "--values": (["{}"], ["--filter", "a > :b"]),
        "--names": (["{}"], ["--filter", "#a > 1"]),
        "--seed": (["0"], ["--sample", "10%"]),
    },
    "copy": {
        "--seed": (["0"], ["--sample", "10%"]),
        "--json": ([], []),
        "--over-provisioned": ([], ["--to-capacity", "5"]),
        "--with-indexes": ([], ["--create-table"]),
        "--values": (["{}"], ["--filter", "a > :b"]),
        "--names": (["{}"], ["--attributes", "#a"]),
    },
    "diff": {
        "--json": ([], []),
        "--over-provisioned": ([], ["-c", "5"]),
        "--ignore": (["a"], []),
        "--attributes": (["a"], []),
        "--values": (["{}"], ["--filter", "a > :b"]),
        "--names": (["{}"], ["--filter", "#a > 1"]),
        "--seed": (["1"], ["--sample", "10%"]),
        "--s3-sse": (["AES256"], ["--output", "s3://b/k"]),
        "--s3-sse-kms-key-id": (["k"], ["--output", "s3://b/k"]),
        "--s3-storage-class": (["GLACIER"], ["--output", "s3://b/k"]),
        "--s3-acl": (["private"], ["--output", "s3://b/k"]),
        "--s3-endpoint-url": (["http://h"], ["--output", "s3://b/k"]),
        "--s3-request-payer": (["requester"], ["--output", "s3://b/k"]),
        "--s3-expected-bucket-owner": (["123456789012"], ["--output", "s3://b/k"]),
    },
    "delete": {
        "--json": ([], []),
        "--over-provisioned": ([], ["--write-capacity", "5"]),
        "--values": (["{}"], ["--filter", "a > :b"]),
        "--names": (["{}"], ["--filter", "#a > 1"]),
        "--capacity": (["5"], []),
        "--segments": (["5"], []),
        "--consistent-read": ([], []),
        "--count-first": ([], []),
        "--backup": (["saved"], []),
        "--format": (["json"], ["-s", "old.json"]),
    },
    "sql": {
        "--json": ([], ["--output", "x.csv"]),
        "--over-provisioned": ([], ["-t", "Orders", "-c", "5"]),
        "--format": (["json"], ["--output", "-"]),
        "--capacity": (["5"], ["-t", "Orders"]),
        "--segments": (["5"], ["-t", "Orders"]),
        "--consistent-read": ([], ["-t", "Orders"]),
        "--index": (["byDay"], ["-t", "Orders"]),
        "--s3-endpoint-url": (["http://h"], ["-s", "s3://b/k"]),
        "--s3-request-payer": (["requester"], ["-s", "s3://b/k"]),
        "--s3-expected-bucket-owner": (["123456789012"], ["-s", "s3://b/k"]),
    },
    "inspect": {
        "--json": ([], []),
        "--over-provisioned": ([], ["-c", "5"]),
        "--seed": (["0"], ["--sample", "10%"]),
    },
    "find": {
        "--json": ([], ["--plan"]),
        "--over-provisioned": ([], ["-c", "5"]),
        "--values": (["{}"], ["--filter", "a > :b"]),
        "--names": (["{}"], ["--attributes", "#a"]),
        "--descending": ([], ["--order-by", "n"]),
    },
    "sync": {
        "--allow-partial": ([], ["-s", "saved"]),
        "--json": ([], []),
        "--over-provisioned": ([], ["--write-capacity", "5"]),
        "--s3-endpoint-url": (["http://h"], ["-s", "s3://b/k"]),
        "--s3-request-payer": (["requester"], ["-s", "s3://b/k"]),
        "--s3-expected-bucket-owner": (["123456789012"], ["-s", "s3://b/k"]),
    },
    "verify": {
        "--json": ([], []),
        "--over-provisioned": ([], ["-t", "Orders", "-c", "5"]),
        **{
            option: (value, ["-t", "Orders"])
            for option, value in {
                "--capacity": ["5"],
                "--processes": ["1"],
                "--lanes": ["1"],
                "--fresh": [],
                "--endpoint-url": ["http://h"],
                "--segments": ["2"],
                "--consistent-read": [],
                "--spill-dir": ["x"],
                "--engine": ["spark"],
            }.items()
        },
    },
    "update": {"--json": ([], []), "--over-provisioned": ([], ["-c", "5"])},
    "revert": {
        "--json": ([], []),
        "--over-provisioned": ([], ["-c", "5"]),
        "--s3-endpoint-url": (["http://h"], ["-s", "s3://b/k"]),
        "--s3-request-payer": (["requester"], ["-s", "s3://b/k"]),
        "--s3-expected-bucket-owner": (["123456789012"], ["-s", "s3://b/k"]),
    },
    "generate": {},
    "jobs": {},
    "report": {},
    "doctor": {},
    "config": {},
    "completion": {},
}
for _name in {*APPLIES} - {"generate", "jobs", "report", "doctor", "config", "completion"}:
    APPLIES[_name]["--verbose"] = ([], [])  # of every verb that shows its progress
    APPLIES[_name]["--prices"] = (["live"], ["--plan"])
# Options with which it does not apply, if it applies without the above; by the option, or by command and option.
IN_VAIN: dict[object, list[str]] = {
    "--verbose": ["--quiet"],
    **{option: ["-d", "-"] for option in ("--size", "--if-exists")},
    ("export", "--fresh"): ["-d", "-"],
    ("import", "--fresh"): ["-s", "-"],
    "--compress": ["--format", "parquet"],
    **{("diff", option): ["--keys-only"] for option in ("--ignore", "--attributes")},
    "--json": ["--report", "x.json"],
    ("find", "--json"): [],
    **{
        ("delete", option): ["-s", "old.json"]
        for option in ("--capacity", "--segments", "--consistent-read", "--count-first", "--backup")
    },
    "--verify-checksums": ["--no-verify"],
    **{
        option: ["--format", "json"]
        for option in (
            "--columns",
            "--delimiter",
            "--csv-types",
            "--infer-types",
            "--empty",
            "--csv-null",
            "--csv-escape",
            "--keep-blanks",
        )
    },
}


@every_command
def test_each_rule_has_an_example_here(name: str) -> None:
    _, rules, _ = command(name)
    own = {option for option, rule in rules.items() if rule is not None and rule is not ENGINE.get(option)}
    assert own == {*APPLIES.get(name, ())}


@pytest.mark.parametrize(("name", "option"), [(name, option) for name in APPLIES for option in APPLIES[name]])
def test_an_option_that_would_be_ignored(name: str, option: str) -> None:
    parser, rules, least = command(name)
    value, needs = APPLIES[name][option]
    in_vain = IN_VAIN.get((name, option), IN_VAIN.get(option, []))
    if "-d" in needs + in_vain:
        least = ["-t", "Orders"]
    plain = ["-d", "out"] if "-d" in needs and not in_vain else []
    good = needs if needs or "-d" in least or name != "export" else ["-d", "out"]
    assert parser.parse([*least, *good, option, *value])
    rule = rules[option]
    assert rule is not None
    with pytest.raises(UsageError) as refused:
        parser.parse([*least, *plain, *in_vain, option, *value])
    assert str(refused.value) == f"{option} applies only {rule.only}; {rule.hint}"


@every_command
@pytest.mark.parametrize("blank", ["", " \t"])
def test_a_value_that_is_empty(name: str, blank: str) -> None:
    """No option is taken as if it were not given: that would mean every item, or no backup."""
    parser, _, needed = command(name)
    for action in parser._actions:
        option = action.option_strings[-1]
        if action.nargs == 0 or action.type is not None or action.choices is not None or option.startswith("--csv-"):
            continue
        given = list(needed)
        for spelling in {*action.option_strings} & {*given}:
            del given[given.index(spelling) : given.index(spelling) + 2]
        with pytest.raises(UsageError, match=f"^{option} is empty; is a shell variable unset"):
            parser.parse([*given, option, blank])


def test_the_options_of_an_engine_need_that_engine() -> None:
    """Those of all verbs that work on a job."""
    parser, _, least = command("count")
    values = {"--worker-timeout": ["5"], "--workers-expected": ["2"], "--hub-port": ["7070"]}
    flags = {"--shared-filesystem", "--send-keys"}
    of_hub = [option for option, rule in ENGINE.items() if rule is not None and "hub" in rule.only]
    assert len(of_hub) == 7
    for option in of_hub:
        words = [option, *([] if option in flags else values.get(option, ["x"]))]
        assert parser.parse([*least, "--engine", "hub", *words])
        rule = ENGINE[option]
        assert rule is not None and f"{option} applies only {rule.only}; {rule.hint}" in refusal("count", *words)
    assert parser.parse([*least, "--engine", "spark", "--slots", "2"])
    assert "--slots applies only with --engine spark" in refusal("count", "--slots", "2")
    assert "--processes applies only to workers on this machine" in refusal("count", "--engine", "hub", "-p", "2")


@every_command
def test_an_option_of_one_value_that_is_given_twice(name: str) -> None:
    parser, _, _ = command(name)
    several = {
        "import": {"--source", "--table", "--rename", "--drop", "--set"},
        "export": {"--rename", "--drop", "--set"},
        "copy": {"--rename", "--drop", "--set"},
        "diff": {"--ignore"},
        "delete": {"--source"},
        "update": {"--set", "--remove"},
        "revert": {"--source"},
        "sql": {"--source"},
    }
    values = {
        "int": "5",
        "positive_int": "5",
        "percent": "5%",
        "duration_s": "5s",
        "port": "5",
        "seconds": "5",
        "delimiter": ";",
        "account_id": "123456789012",
        "escape": "|",
        "types": "a:N",
    }
    for action in parser._actions:
        option = action.option_strings[-1]
        if action.nargs == 0:
            continue
        kind = getattr(action.type, "__name__", "")
        value = next(iter(action.choices)) if action.choices else values.get(kind, "x")
        with pytest.raises(UsageError) as refused:
            parser.parse([option, value, option, value])
        assert ("given twice" in str(refused.value)) == (option not in several.get(name, ())), option


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("import", ["--capcity", "5"], "there is no option --capcity; did you mean --capacity?"),
        ("import", ["--capcity=5"], "did you mean --capacity?"),
        ("import", ["--rate", "5"], "there is no option --rate; --help lists the options"),
        ("import", ["--limit", "5"], "there is no option --limit; --help lists the options"),
        ("import", ["--tabel", "Orders"], "did you mean --table?"),
        ("export", ["--destinaton", "x"], "did you mean --destination?"),
        ("export", ["--nothing-like-it"], "there is no option --nothing-like-it; --help lists the options"),
        ("generate", ["--item-sise", "5"], "did you mean --item-size?"),
        ("export", ["-x"], "there is no option -x"),
    ],
)
def test_a_misspelt_option(name: str, words: list[str], says: str) -> None:
    """Also where options are missing: the misspelt one may be the one that is missed."""
    assert says in refusal(name, *words)
    if words != ["-x"]:
        assert says in refusal(name, *words, least=False)


def test_the_words_of_a_glob_that_was_not_quoted() -> None:
    assert refusal("import", "b.json") == (
        "'b.json' belongs to no option; put a glob in quotes (-s 'part-*.json'), and write -s before each of several "
        "sources"
    )
    assert "'surplus' belongs to no option" in refusal("export", "surplus")


def test_values_that_look_like_options_are_not_taken_for_misspelt_ones() -> None:
    parser, _, least = command("import")
    assert parser.parse([*least, "--set=--x=y"]).set == ["--x=y"]
    assert parser.parse([*least, "--set", "--x=a b"]).set == ["--x=a b"]


def test_an_option_that_is_missing() -> None:
    assert "required: -s/--source" in refusal("import", "-t", "Orders", least=False)
    assert "required: -t/--table, -d/--destination" in refusal("export", least=False).replace(
        "-d/--destination, -t/--table", "-t/--table, -d/--destination"
    )


@pytest.mark.parametrize("called", ["ddbimport", "./DDBImport.py", "/opt/tools/load-orders"])
def test_a_command_names_itself_as_it_was_called(called: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    text = command("import")[0].format_help()
    name = called.rpartition("/")[2]
    assert text.startswith(f"usage: {name} ") and f"       {name} -r us-east-1" in text
    assert ("DDBImport.py" in text) == (name == "DDBImport.py")


def test_facts_of_a_job_are_named_like_the_options_of_its_command() -> None:
    """So that a refusal to resume a job names what to change."""
    for verb, subcommand in VERBS.items():
        if subcommand.command is None:
            continue
        parser, _, least = command(verb)
        known = set(parser._option_string_actions)
        facts = material(subcommand.command.options(parser.parse(least)))
        assert not {name for name, value in facts.items() if name not in known and value}, verb


def test_options_of_formats_are_classified_as_such() -> None:
    for each in all_declarations():
        assert {
            option for option, rule in command("import")[1].items() if isinstance(rule, FormatRule)
        } >= each.import_options
        assert {
            option for option, rule in command("export")[1].items() if isinstance(rule, FormatRule)
        } >= each.export_options


def test_two_dashes_are_a_text_or_refused_but_no_list() -> None:
    parser, _, least = command("import")
    for option in ("--log-file", "--state-dir"):
        try:
            given = parser.parse([*least, f"{option}=--"])
        except UsageError as error:
            assert "-- is no value" in error.message
        else:  # since Python 3.13
            assert vars(given)[option[2:].replace("-", "_")] == "--"
