"""`ddbio jobs`: lists the jobs in the state folder; shows, resumes or forgets one, or changes its cap."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ddbio.cli import arguments
from ddbio.cli.configuration import ignore as ignore_configuration
from ddbio.cli.confirm import at_terminal
from ddbio.cli.option_rules import Rules
from ddbio.cli.parsing import Parser
from ddbio.cli.run import run
from ddbio.cli.set_cap import capacity_of, set_cap
from ddbio.cli.start import obey_at_once
from ddbio.errors import EXIT_OK, DdbioError, UsageError
from ddbio.system.terminal import stderr, tell, write_out

if TYPE_CHECKING:
    from ddbio.job.invocation import Noted
    from ddbio.job.listing import JobState

PROGRAM = "ddbio jobs"
ACTIONS = ("list", "show", "forget", "resume", "set-cap")
_ACTIONS_OF = {
    "yes": ("forget",),
    "all": ("list",),
    "json": ("list", "show"),
    **dict.fromkeys(("side", "over_provisioned"), ("set-cap",)),
}
# Of several jobs whose ids begin alike, an action can only mean one in this state.
_MEANT: dict[str, Callable[[JobState], bool]] = {
    "resume": lambda job: job.is_resumable and job.pid is None,
    "set-cap": lambda job: job.pid is not None,
}
RECENT = 10  # finished and failed jobs that are listed
RULES: Rules = dict.fromkeys(("--state-dir", "--all", "--json", "--yes", "--side", "--over-provisioned"))

EXAMPLES = """\
examples:
  1. the unfinished jobs and the last ten others, each with the command that repeats it
       {command}
  2. everything that is known about one, by the beginning of its id
       {command} show 3f2a
  3. repeat the command of an unfinished job in its folder, and so finish it
       {command} resume 3f2a
  4. remove the state of an unfinished job; items and files that it wrote stay
       {command} forget 3f2a --yes
  5. let a job at work consume up to 2,000 units per second from now on; of a copy, in its target
       {command} set-cap 3f2a 2000
       {command} set-cap 77c0 2000 --side target

A job's id is the name of its folder, import-Orders-3f2a9c0b1d4e; the beginning of that, or of its last part, is
enough. The capacity is written as for -c, and holds until the present run of the job ends. Only resume, forget and
set-cap change anything.

exit codes: 0 done; 2 it cannot be done; 3 the job does not answer; resume: those of the command that it repeats
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "List the jobs whose state is kept on this machine; show, resume or forget one, or change its cap.",
        EXAMPLES,
        verb="jobs",
        rules=RULES,
        surplus_hint="use one of show, forget, resume and set-cap, with one id",
        usage="%(prog)s [list | show ID | forget ID | resume ID | set-cap ID UNITS] [options]",
    )
    parser.add_argument("--all", action="store_true", help=f"list all jobs, not only the last {RECENT} finished ones")
    parser.add_argument(
        "--state-dir",
        metavar="PATH",
        help="folder for the state of jobs (default: $DDBIO_STATE_DIR, ~/.local/state/ddbio)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--yes", action="store_true", help="forget: do not ask; needed where there is no terminal")
    parser.add_argument(
        "--side", choices=("source", "target"), help="set-cap: the table whose cap it is, of a job with two"
    )
    parser.add_argument(
        "--over-provisioned",
        action="store_true",
        help="set-cap: allow more than a provisioned table has",
    )
    return parser


def main() -> int:
    resumed: list[str] = []
    code = run(PROGRAM, lambda command: _perform(sys.argv[1:], resumed))
    if not resumed:
        return code
    obey_at_once()  # as at the start of every command: `run` ended with signals ignored
    result: int = importlib.import_module(resumed[0]).main()
    return result


def _perform(words: Sequence[str], resumed: list[str]) -> int:
    """resumed: receives the module of the command that is to follow."""
    action, asked, rest = _split(words)
    capacity, rest = capacity_of(rest) if action == "set-cap" else ("", rest)
    given = parser().parse(rest)
    from ddbio.job.listing import find_job
    from ddbio.job.state import state_root

    _check_options(action, given)
    root = state_root(given.state_dir)
    if action == "list":
        write_out(_list(root, given))
        return EXIT_OK
    job = find_job(root, asked, _MEANT.get(action))
    if action == "show":
        write_out(_as_json(job) if given.json else _shown(job))
    elif action == "forget":
        _forget(root, job, yes=given.yes)
    elif action == "set-cap":
        from ddbio.job.cap_requests import CapRequest

        request = CapRequest(capacity, given.side, given.over_provisioned)
        write_out(set_cap(root, job, request) + "\n")
    else:
        resumed.append(_prepare(root, job))
    return EXIT_OK


def _split(words: Sequence[str]) -> tuple[str, str, list[str]]:
    """The action, the id, and the options. Raises UsageError."""
    if words and words[0] not in ACTIONS and not words[0].startswith("-"):
        nearest = difflib.get_close_matches(words[0], ACTIONS, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"use one of {', '.join(ACTIONS)}, with one id"
        raise UsageError(f"there is no action {words[0]!r}", hint)
    if not words or words[0] not in ACTIONS or words[0] == "list":
        return "list", "", [*words[1:]] if words[:1] == ["list"] else [*words]
    action, rest = words[0], [*words[1:]]
    if {"-h", "--help"} & {*rest}:
        return "list", "", ["--help"]
    if not rest or rest[0].startswith("-"):
        raise UsageError(f"{action} needs the id of a job", f"{PROGRAM} lists them; write it right after {action}")
    return action, rest[0], rest[1:]


def _check_options(action: str, given: argparse.Namespace) -> None:
    for option, actions in _ACTIONS_OF.items():
        if getattr(given, option) and action not in actions:
            name = option.replace("_", "-")
            raise UsageError(f"--{name} applies only to {' and '.join(actions)}", "leave it out")


# -- list and show


def _list(root: Path, given: argparse.Namespace) -> str:
    from ddbio.job.listing import FAILED, FINISHED, REFUSED, list_jobs

    jobs = list_jobs(root)
    over = [job for job in jobs if job.state in (FINISHED, FAILED, REFUSED)]
    hidden = [] if given.all else over[RECENT:]
    shown = [job for job in jobs if job not in hidden]
    if given.json:
        return _as_json({"version": 1, "state_dir": str(root), "jobs": shown})
    if not shown:
        return f"no jobs in {root}\n"
    more = f"and {len(hidden):,} finished earlier: --all lists them\n" if hidden else ""
    return "".join("\n".join(_block(job)) + "\n" for job in shown) + more


def _block(job: JobState) -> Iterator[str]:
    """A job in a few lines, the command last."""
    yield f"{job.id}  {job.state}{''.join(f', {each}' for each in _how_far(job))}"
    when = [f"last at {_local(job.last)}"] if job.last else []
    when = [f"since {_local(job.began)}"] if job.pid and job.began else when
    if when or job.why:
        yield "  " + "; ".join([*when, *([job.why] if job.why else []), *([job.hint] if job.hint else [])])
    if job.command is not None:
        yield f"  {_typed(job.command)}"


def _how_far(job: JobState) -> list[str]:
    if job.pid is not None:
        parts = [f"by process {job.pid}"]
    else:
        parts = [] if job.exit_code is None else [f"exit code {job.exit_code}"]
    progress = job.progress
    if progress is None:
        read = job.counts.get("read", 0)
        return parts + [f"{read:,.10g} read"] * bool(read)
    if progress.units:
        parts.append(f"{progress.units_done:,} of {progress.units:,} units done")
    parts += [f"stages done: {', '.join(progress.stages)}"] * bool(progress.stages)
    return [*parts, f"{progress.read:,} read"]


def _shown(job: JobState) -> str:
    """All about one job, a line a fact."""
    facts = {
        "job": job.id,
        "verb": job.verb,
        "table": " ".join(filter(None, [job.table, job.region, job.endpoint])),
        "state": ", ".join([job.state, *_how_far(job)]),
        "why": job.why,
        "what to do": job.hint,
        "begun": _local(job.began),
        "last": _local(job.last),
        "runs": "" if job.progress is None else f"{job.progress.runs}, {job.progress.seconds:,.1f} s",
        "counts": ", ".join(f"{name} {value:,.10g}" for name, value in job.counts.items() if value),
        "command": "not known: it was begun by a program" if job.command is None else _typed(job.command),
        "in folder": "" if job.command is None else job.command.folder,
        "state in": job.path,
    }
    return "".join(f"{name + ':':12} {text}\n" for name, text in facts.items() if text)


def _local(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%dT%H:%M:%S")


def _typed(command: Noted) -> str:
    """As a user would type it."""
    return shlex.join([*_verb_of(command.program).split(), *command.words])


def _verb_of(program: str) -> str:
    """`ddbio import` for DDBImport.py, too."""
    from ddbio.cli.main import VERBS

    scripts = {verb.script: f"ddbio {name}" for name, verb in VERBS.items() if verb.script}
    return scripts.get(program, program)


def _as_json(value: object) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


# -- resume and forget


def _prepare(root: Path, job: JobState) -> str:
    """Make this process one that runs the job's command. Returns the command's module. Raises UsageError."""
    from ddbio.cli.main import VERBS
    from ddbio.job.invocation import expect

    command = _resumable(job)
    verb = _verb_of(command.program)
    subcommand = VERBS.get(verb.removeprefix("ddbio "))
    if subcommand is None:
        raise UsageError(
            f"this version of ddbio has no command {command.program}", "use the version that began the job"
        )
    words = [word for word in command.words if word != "--fresh"]  # which would start it over
    try:
        os.chdir(command.folder)
    except OSError as error:
        raise UsageError(f'cannot go to the job\'s folder "{command.folder}": {error.strerror}') from None
    tell(f"resuming in {command.folder}: {shlex.join([*verb.split(), *words])}")
    os.environ["DDBIO_STATE_DIR"] = str(root)
    sys.argv = [verb, *words]
    expect(command.job)
    ignore_configuration()  # its words were those of the configuration, too
    return subcommand.module


def _resumable(job: JobState) -> Noted:
    if job.pid is not None:
        raise UsageError(f"process {job.pid} is working on this job", "wait until it ends, or stop it")
    if job.state in ("finished", "failed", "refused"):
        again = f"to repeat it: {_typed(job.command)}" if job.command else ""
        raise UsageError(f"{job.id} left nothing to resume ({job.state})", again)
    if not job.is_resumable:
        raise UsageError(f"{job.id} cannot be resumed: {job.why}", job.hint)
    if job.command is None:
        raise UsageError(f"the command of {job.id} is not known", "run it again yourself; that resumes the job")
    if not job.command.complete:
        raise UsageError(
            "its command had a password in a URL, which is not kept", f"run it yourself: {_typed(job.command)}"
        )
    return job.command


def _forget(root: Path, job: JobState, *, yes: bool) -> None:
    """Remove the state of a job. Raises UsageError if a process works on it, or the user does not want it."""
    from ddbio.job.remains import remove_journal
    from ddbio.job.state import LOCK, JobFolder

    folder = JobFolder.claim(root, job.id)
    try:
        for line in _loss(job):
            tell(line)
        if not yes:
            _ask(job)
        remove_journal(folder.path)
        for each in folder.path.iterdir():
            if each.name != LOCK:  # stays: a process may be about to lock it
                _remove(each)
    finally:
        folder.close()
    write_out(f"forgot {job.id}\n")


def _loss(job: JobState) -> Iterator[str]:
    """The consequences of forgetting the job, in sentences."""
    if job.progress is not None:
        yield f"{job.id} is unfinished ({job.progress.read:,} read): it could not be resumed any more"
        yield "Items and files that it wrote stay; so do unfinished uploads to S3"
    rejects = Path(job.path) / "rejects.jsonl"
    with suppress(OSError):
        if size := rejects.stat().st_size:
            yield f"Rejected records that were not uploaded yet would be lost: {size:,} bytes in {rejects}"


def _ask(job: JobState) -> None:
    if not at_terminal():
        raise UsageError("forget asks first, and there is no terminal to ask at", "add --yes if you are sure")
    stderr.write(f"Forget {job.id}? Type yes: ")
    stderr.flush()
    if sys.stdin.readline().strip() != "yes":
        raise UsageError("nothing was forgotten", "type yes if you are sure")


def _remove(path: Path) -> None:
    try:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except OSError as error:
        raise DdbioError(f'cannot remove "{path}": {error.strerror}', "remove it yourself") from None


if __name__ == "__main__":
    raise SystemExit(main())
