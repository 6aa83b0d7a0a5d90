"""The library's functions return or raise, and speak of parameters."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from typing import Any

import pytest

import ddbio
from ddbio import RejectedError, Stopped, TransferError, UsageError
from ddbio.aws.settings import AwsSettings
from ddbio.cli.main import VERBS
from ddbio.job.accounts import Result
from ddbio.job.progress import QuietProgress
from ddbio.job.run import Caller
from ddbio.library.calling import call
from ddbio.library.wording import keyword, parameters
from ddbio.messages import Tally
from ddbio.options import CsvOptions
from ddbio.verbs import options as all_options


class Told:
    """A story that ends as it is told to."""

    def __init__(self, result: Result | None = None, error: Exception | None = None) -> None:
        self._result, self._error = result, error
        self.interrupted = False

    def perform(self, caller: Caller) -> Result:
        if caller.progress is not None:
            caller.progress.say("Cap: 500 WCU (-c)")
        if self._error is not None:
            raise self._error
        if self.interrupted:
            assert caller.stop is not None
            caller.stop.heeded = True
            signal.raise_signal(signal.SIGINT)
            caller.stop.heeded = False
            assert caller.stop.requests == 1
        assert self._result is not None
        return self._result

    def preview(self, caller: Caller) -> list[str]:
        return []


def test_a_finished_job_returns_its_result() -> None:
    result = Result(Tally(read=2, written=1, rejected=1), 1.0, None)
    assert call(Told(result)) is result


def test_rejects_raise_only_if_asked() -> None:
    result = Result(Tally(read=2, written=1, rejected=1), 1.0, None)
    with pytest.raises(RejectedError, match="1 record was rejected") as raised:
        call(Told(result), on_rejects="raise")
    assert raised.value.result is result
    fine = Result(Tally(read=1, written=1), 1.0, None)
    assert call(Told(fine), on_rejects="raise") is fine
    with pytest.raises(UsageError, match="on_rejects is 'no'"):
        call(Told(fine), on_rejects="no")


def test_a_job_that_is_not_complete_raises_with_its_result() -> None:
    error = TransferError("the table is gone", "use another with -t; run the same command again to resume")
    result = Result(Tally(read=2, written=1), 1.0, error)
    with pytest.raises(TransferError) as raised:
        call(Told(result))
    assert raised.value.result is result
    assert str(raised.value) == "the table is gone; use another with table; make the same call again to resume"


def test_an_error_before_the_job_has_no_result() -> None:
    with pytest.raises(UsageError, match="set state_dir") as raised:
        call(Told(error=UsageError("no place", "set --state-dir")))
    assert raised.value.result is None


def test_what_is_no_options_is_named() -> None:
    for call_verb, kind in ((ddbio.import_table, "ImportOptions"), (ddbio.sync_tables, "SyncOptions")):
        with pytest.raises(UsageError, match=f"^{kind} are needed, not str; give {kind}"):
            call_verb("Orders")  # type: ignore[operator]


def test_sentences_speak_of_parameters_too() -> None:
    class Said(QuietProgress):
        def say(self, text: str) -> None:
            said.append(text)

    said = list[str]()
    call(Told(Result(Tally(), 1.0, None)), progress=Said())
    assert said == ["Cap: 500 WCU (capacity)"]


def test_where_a_function_has_keywords_for_the_place_messages_name_those() -> None:
    with pytest.raises(UsageError, match="check table, region and endpoint_url"):
        call(Told(error=UsageError("no", "check --table, --region and --endpoint-url")), name_of=keyword)


def test_ctrl_c_asks_for_an_orderly_stop() -> None:
    story = Told(Result(Tally(), 1.0, Stopped("stopped")))
    story.interrupted = True
    with pytest.raises(Stopped):
        call(story)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def names_of_parameters() -> set[str]:
    found = {"progress"}
    for each in (*vars(all_options).values(), AwsSettings, CsvOptions):
        if dataclasses.is_dataclass(each):
            found |= {field.name for field in dataclasses.fields(each)}
    return found


@pytest.mark.parametrize("verb", [name for name, verb in VERBS.items() if verb.command])
def test_each_option_has_a_parameter(verb: str) -> None:
    parser: Any = VERBS[verb].parser()
    known, commands_only = names_of_parameters(), {"--help", "--version", "--plan", "--json", "--yes", "--output"}
    commands_only |= {
        "--quiet",
        "--no-progress",
        "--log-file",
        "--log-format",
        "--max-duration",
        "--prices",
        "--metrics",
    }
    commands_only |= {"--verbose", "--config", "--settings"}
    commands_only |= {  # a program makes the engine itself: `HubSettings`
        "--engine",
        "--workers-expected",
        "--hub-address",
        "--hub-port",
        "--token-file",
        "--worker-timeout",
        "--shared-filesystem",
        "--send-keys",
        "--slots",
    }
    for action in parser._actions:
        for option in action.option_strings:
            if {*action.option_strings} & commands_only or action.dest[0].isupper():  # arguments of S3's calls
                continue
            word = parameters(f"with {option}").split()[-1].partition("=")[0].rpartition(".")[2]
            assert word in known, (option, word)


@pytest.mark.parametrize(
    "text",
    [
        "run: iconv -f UTF-16 -t UTF-8 a > b",
        "ulimit -u",
        "a-b -- c",
        "docs/x-y",
        "https://host/--x",
        "1 - 2",
        "s3://b/-p/k",
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert parameters(text) == text


def test_accounts_that_do_not_add_up_are_no_success() -> None:
    """The command ends with 3."""
    result = Result(Tally(read=3, written=2), 1.0, None)
    with pytest.raises(TransferError, match="1 item") as raised:
        call(Told(result))
    assert raised.value.result is result


LOADED = """
import gc
from ddbio.library.loading import load
full = []
gc.callbacks.append(lambda phase, info: full.append(info) if info["generation"] == 2 else None)
{before}
load()
print(len(full), gc.isenabled(), len(gc.get_objects(2)) > 20_000, gc.get_freeze_count() > 0)
"""


@pytest.mark.parametrize(
    ("before", "said"),
    [("", "0 True True False"), ("gc.disable()", "0 False True False"), ("gc.freeze()", "0 True False True")],
)
def test_modules_are_loaded_without_a_full_collection(before: str, said: str) -> None:
    """And the collector is left as the program had it."""
    program = LOADED.format(before=before)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == said
