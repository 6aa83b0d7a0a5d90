"""Options from variables and from a file: which value counts, and what is refused."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ddbio.cli.configuration import NO_OPTIONS, WHERE, variable_of
from ddbio.cli.configuration_file import CHOSEN_ONLY, TYPED_ONLY, TYPED_ONLY_VALUES, all_options
from ddbio.cli.main import VERBS
from ddbio.cli.parsing import settings_in_force, words_in_force
from ddbio.errors import UsageError

EXPORT = ["-t", "Orders", "-d", "out"]
IMPORT = ["-t", "Orders", "-s", "in.json"]
Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DDBIO_") and name not in NO_OPTIONS]:
        monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the user's configuration file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "ddbio" / "config.toml"
    path.parent.mkdir()

    def write(text: str) -> Path:
        path.write_text(text)
        os.utime(path)
        from ddbio.cli.configuration_file import content_of

        content_of.cache_clear()
        return path

    return write


def parse(verb: str, *words: str):  # type: ignore[no-untyped-def]
    parser = VERBS[verb].parser()
    assert parser is not None
    return parser.parse(words)


def refusal(verb: str, *words: str) -> str:
    with pytest.raises(UsageError) as refused:
        parse(verb, *words)
    assert "\n" not in str(refused.value)
    return str(refused.value)


PLACES = ("", "[export]", "[profile.p]", "[profile.p.export]")


def test_the_value_of_the_highest_place_counts(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place that has the option has another number, which grows with its precedence."""
    for present in itertools.product((False, True), repeat=6):
        *in_file, in_variable, on_command_line = present
        write("".join(f"{place}\n" + f"lanes = {n + 1}\n" * in_file[n] for n, place in enumerate(PLACES)))
        monkeypatch.delenv("DDBIO_LANES", raising=False)
        if in_variable:
            monkeypatch.setenv("DDBIO_LANES", "5")
        words = ["--lanes", "6"] if on_command_line else []
        given = parse("export", *EXPORT, "--settings", "p", *words)
        assert given.lanes == max((n for n, there in enumerate(present, 1) if there), default=None)
        of_another_verb = parse("count", "-t", "Orders", "--settings", "p").lanes
        assert of_another_verb == max((n for n in (1, 3, 5) if present[n - 1]), default=None)


def test_a_profile_that_is_not_chosen_and_another_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("lanes = 1\n[profile.p]\nlanes = 2\n")
    other = tmp_path / "other.toml"
    other.write_text("lanes = 3\n[profile.p]\nlanes = 4\n")
    assert parse("export", *EXPORT).lanes == 1
    assert parse("export", *EXPORT, f"--config={other}").lanes == 3
    monkeypatch.setenv("DDBIO_CONFIG", str(other))
    monkeypatch.setenv("DDBIO_SETTINGS", "p")
    assert parse("export", *EXPORT).lanes == 4
    assert (
        parse("export", *EXPORT, "--config", "/dev/null", "--settings", "p2", "--help", "--version")
        if False
        else True
    )


def test_values_are_parsed_like_those_of_the_command_line(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write('quiet = true\nno-progress = false\nmax-duration = "1h"\n[profile.p.export]\ndrop = ["a", "b"]\n')
    monkeypatch.setenv("DDBIO_CONSISTENT_READ", "Yes")
    monkeypatch.setenv("DDBIO_FILTER", "--odd = :x")
    given = parse("export", *EXPORT, "--settings", "p")
    assert (given.quiet, given.no_progress, given.max_duration, given.consistent_read) == (True, False, 3600, True)
    assert (given.drop, given.filter) == (["a", "b"], "--odd = :x")
    assert parse("export", *EXPORT, "--settings", "p", "--drop", "c").drop == ["c"]
    monkeypatch.setenv("DDBIO_QUIET", "0")
    assert not parse("export", *EXPORT).quiet


def test_required_options_may_be_configured(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write('[profile.p.export]\ntable = "Orders"\ndestination = "out"\naws-profile = "staging"\n')
    given = parse("export", "--settings", "p")
    assert (given.table, given.destination, given.profile) == ("Orders", "out", "staging")
    monkeypatch.setenv("DDBIO_TABLE", "Others")
    assert parse("import", "-s", "x").table == ["Others"]


def test_the_words_in_force_do_the_same_without_a_configuration(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write('capacity = 5\nstate-dir = "/tmp/x"\n[profile.p.export]\ncompress = "gzip"\nquiet = true\n')
    monkeypatch.setenv("DDBIO_RENAME", "a=b")
    given = parse("export", *EXPORT, "--settings=p", "--config", str(path), "--lanes", "3")
    words = words_in_force(given)
    assert words[:6] == [*EXPORT, "--lanes", "3"]
    assert {*words[6:]} == {"--capacity=5", "--compress=gzip", "--quiet", "--rename=a=b"}
    write("")
    monkeypatch.delenv("DDBIO_RENAME")
    again = vars(parse("export", *words))
    aside = {"state_dir", "config", "settings", "words", "settings_in_force", "given_options"}
    assert {name: value for name, value in vars(given).items() if name not in aside} == {
        name: value for name, value in again.items() if name not in aside
    }


def test_a_setting_without_effect_is_left_aside_and_gives_way(write: Write) -> None:
    write('s3-sse = "AES256"\nverify-checksums = true\nreport = "r.json"\nover-provisioned = true\nseed = 3\n')
    given = parse("export", *EXPORT)
    assert (given.ServerSideEncryption, given.over_provisioned, given.report, given.seed) == (
        None,
        False,
        "r.json",
        0,
    )
    assert parse("export", "-t", "Orders", "-d", "s3://b/k").ServerSideEncryption == "AES256"
    assert {each.option for each in settings_in_force(given)} == {"--report"}
    assert parse("export", *EXPORT, "--json").report is None
    assert not parse("import", *IMPORT, "--no-verify").verify_checksums
    assert parse("import", *IMPORT).verify_checksums
    assert "--seed applies only with --sample" in refusal("export", *EXPORT, "--seed", "3")


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("DDBIO_CAPCITY", "5", "DDBIO_CAPCITY is the variable of no option; did you mean DDBIO_CAPACITY?"),
        ("DDBIO_SETING", "5", "did you mean DDBIO_SETTINGS?"),
        ("DDBIO_LANES", "five", "DDBIO_LANES: 'five' is not a whole number above 0; that is no value of --lanes"),
        ("DDBIO_FORMAT", "cvs", "DDBIO_FORMAT: --format has no choice 'cvs'; did you mean csv?"),
        ("DDBIO_QUIET", "maybe", "DDBIO_QUIET is 'maybe'; a flag is 1, true, yes or on"),
        ("DDBIO_REGION", "", "DDBIO_REGION: --region is empty; "),
        ("DDBIO_YES", "1", "DDBIO_YES: --yes can only be given on the command line"),
        ("DDBIO_FRESH", "1", "DDBIO_FRESH: --fresh can only be given on the command line"),
        ("DDBIO_IF_EXISTS", "overwrite", "DDBIO_IF_EXISTS: --if-exists overwrite can only be given on the command"),
        ("DDBIO_CAPACITY", "\udcff", "DDBIO_CAPACITY is not UTF-8: '\\udcff'; "),
        ("DDBIO_lanes", "5", "DDBIO_lanes is the variable of no option; "),
        ("DDBIO_MAX-ERRORS", "5", "the variable of no option; did you mean DDBIO_MAX_ERRORS?"),
        ("DDBIO_CONFIG", "/nowhere.toml", 'there is no configuration file "/nowhere.toml" (DDBIO_CONFIG)'),
        ("DDBIO_SETTINGS", "nightly", "the settings 'nightly' are in no file; there is no configuration file"),
    ],
)
def test_a_variable_that_is_refused(
    variable: str, value: str, says: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert says in refusal("export", *EXPORT)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("capcity = 5", "capcity is no option there; did you mean capacity?"),
        ("to_capacity = 5", "to_capacity is no option there; did you mean to-capacity?"),
        ("[exprot]\nlanes = 5", "exprot is no verb; did you mean export?"),
        ("[export]\ninfer-types = true", "export.infer-types is no option there; "),
        ("[import]\nsegments = 1", "import.segments is no option there; "),
        ("[profile.q.count]\nlimit = 1", "profile.q.count.limit is no option there; "),
        ("[iam-policy]\nregion = 'x'", "iam-policy.region is no option there; "),
        ("[profile.q.profile.x]\nlanes = 1", "profile.q.profile is no verb; "),
        ("profile = 'x'", "profile is no table of profiles; --profile, of AWS, is aws-profile in this file"),
        ("[profile]\nq = 5", "profile.q is no table; "),
        ("[export]\nprofile = 'x'", "export.profile: --profile is aws-profile in this file; "),
        ("lanes = 'five'", "lanes: 'five' is not a whole number above 0; that is no value of --lanes"),
        ("lanes = true", "lanes: --lanes cannot be true; write a string or a number"),
        ("lanes = [1]", "lanes: --lanes takes one value; "),
        ("quiet = 1", "quiet: --quiet is a flag; write true or false"),
        ("region = ''", "region: --region is empty; "),
        ('state-dir = "a\\u0000b"', "state-dir: --state-dir has a NUL character; "),
        ("region = 2026-01-01", "region: --region cannot be 2026-01-01; "),
        ("[export.region]\nx = 1", "export.region is a table; "),
        ("yes = true", "yes: --yes can only be given on the command line; it has to be meant each time"),
        ("[profile.q.delete]\nall = true", "profile.q.delete.all: --all can only be given on the command line"),
        ("limit = 5", "limit: --limit decides what a job works on, and cannot be set for every command; put it into"),
        ("[export]\ntable = 'x'", "export.table: --table decides what a job works on, and cannot be set for every"),
        ("config = 'x'", "config is no option there; "),
        ("version = true", "version is no option there; "),
        ("lanes = ", "is not TOML: "),
        ('a = "\xff', "is not TOML: "),
    ],
)
def test_a_file_that_is_refused(text: str, says: str, write: Write) -> None:
    """Also for what is not in use: the profile q is not chosen, and most verbs are others."""
    path = write(text)
    said = refusal("export", *EXPORT)
    assert said.startswith((f"{path}: {says}", f'"{path}" {says}')), said


def test_a_mode_that_deletes_is_typed(write: Write) -> None:
    """A value of an option that is configurable otherwise."""
    write('[profile.p.import]\nmode = "insert"\n')
    assert parse("import", *IMPORT, "--settings", "p").mode == "insert"
    assert parse("import", *IMPORT, "--settings", "p", "--mode", "delete").mode == "delete"
    write('[profile.p.import]\nmode = "delete"\n')
    assert "profile.p.import.mode: --mode delete can only be given on the command line" in refusal(
        "import", *IMPORT, "--settings", "p"
    )


def test_help_does_not_depend_on_the_configuration(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write("nonsense = 1")
    with pytest.raises(SystemExit):
        parse("export", "--help")
    assert "--settings NAME" in capsys.readouterr().out


def test_options_with_restrictions_exist_and_flags_of_destruction_are_among_them() -> None:
    known = all_options()
    assert TYPED_ONLY | CHOSEN_ONLY | {*TYPED_ONLY_VALUES} <= {*known}
    assert not TYPED_ONLY & CHOSEN_ONLY
    assert not {variable_of(option) for option in known} & (NO_OPTIONS | WHERE)
    assert not {option.removeprefix("--") for option in known} & {"aws-profile"}
