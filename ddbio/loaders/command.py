"""`python -m ddbio.loaders`: the options, the block of results and the exit codes of the loaders' command.

Exit codes: 0 everything is written; 1 anything else, as there; 2 an option is missing or unknown; 130 stopped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ddbio.cli.option_rules import Rules
from ddbio.cli.parsing import Parser
from ddbio.cli.run import Command, run
from ddbio.errors import EXIT_OK, EXIT_STOPPED
from ddbio.loaders.config import LoaderConfig, LoadResult
from ddbio.loaders.csv_file import readable
from ddbio.system.signals import signals_held
from ddbio.system.terminal import tell, write_out

if TYPE_CHECKING:
    from ddbio.loaders.load import Outcome

PROGRAM = "ddbio.loaders"
EXIT_FAILED = 1  # of the loaders; a failure of `ddbio.cli` is 3
_SHOWN = 10  # errors
_RULE = "=" * 60
_DESCRIPTION = """\
Load a CSV file into a DynamoDB table, with the options of the local bulk loaders. DDBImport.py has more: a cap,
sources on S3, other formats, types of columns, transforms.
"""
_RULES: Rules = dict.fromkeys(("--csv", "--table", "--region", "--workers", "--batch-size", "--max-retries"))


def main() -> int:
    sys.argv[0] = PROGRAM
    return run(PROGRAM, _action)


def parser() -> Parser:
    parser = Parser(description=_DESCRIPTION, verb=None, rules=_RULES, surplus_hint="put an option before each value")
    add = parser.add_argument
    add("--csv", required=True, metavar="FILE", help="the file")
    add("-t", "--table", required=True, help="the table, by name or ARN")
    add("-r", "--region", default="us-east-1", help="the AWS region (default: %(default)s)")
    add(
        "-w",
        "--workers",
        type=int,
        metavar="N",
        help="about how many requests are in flight (default: as many as help)",
    )
    add(
        *("-b", "--batch-size"),
        type=int,
        default=25,
        metavar="N",
        help="of no influence: a request has 25 records, the most that the service takes",
    )
    add(
        "--max-retries",
        type=int,
        default=3,
        metavar="N",
        help="give up after N times 10 seconds, and at least a minute, without a successful request "
        "(default: %(default)s)",
    )
    return parser


def _action(command: Command) -> int:
    given = parser().parse()
    try:
        config = LoaderConfig(given.table, given.region, given.workers, given.batch_size, given.max_retries)
        path = readable(given.csv)
    except ValueError as error:
        return _fail(command, str(error))
    except FileNotFoundError:
        return _fail(command, f"CSV file not found: {given.csv}")
    except OSError as error:
        return _fail(command, f'cannot read "{given.csv}": {error.strerror}')
    outcome = _loaded(command, config, path)
    write_out("".join(f"{line}\n" for line in block(outcome.result)))
    if outcome.stopped:
        return EXIT_STOPPED
    return EXIT_FAILED if outcome.result.errors else EXIT_OK


def _loaded(command: Command, config: LoaderConfig, path: str) -> Outcome:
    with signals_held():
        from ddbio.cli.interrupts import stop_on_signals
        from ddbio.job.progress import new_progress
        from ddbio.loaders.load import load
        from ddbio.loaders.wording import of_command
        from ddbio.system.machine import allow_open_files
    allow_open_files()
    return load(config, path, stop_on_signals(command), new_progress(), of_command)


def _fail(command: Command, why: str) -> int:
    tell(f"{command.name}: error: {why}")
    return EXIT_FAILED


def block(result: LoadResult) -> Iterator[str]:
    """The lines that a command prints about a load."""
    yield _RULE
    yield "Load Results"
    yield _RULE
    yield f"Total Records:     {result.total_records:,}"
    yield f"Successful Writes: {result.successful_writes:,}"
    yield f"Failed Writes:     {result.failed_writes:,}"
    yield f"Success Rate:      {result.success_rate():.2f}%"
    yield f"Duration:          {result.duration_seconds:.2f} seconds"
    yield _RULE
    if result.rejects:
        yield f"Rejected rows:     {result.rejects}"
    if result.errors:
        yield f"\nErrors encountered ({len(result.errors):,}):"
        yield from (f"  - {error}" for error in result.errors[:_SHOWN])
    if len(result.errors) > _SHOWN:
        yield f"  ... and {len(result.errors) - _SHOWN:,} more errors"
