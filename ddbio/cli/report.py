"""`ddbio report`: the report of a job for people, as one HTML file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ddbio.cli import arguments
from ddbio.cli.option_rules import Rules
from ddbio.cli.parsing import Parser
from ddbio.cli.run import run
from ddbio.errors import EXIT_OK, UsageError
from ddbio.options import STDOUT
from ddbio.system.terminal import write_out

PROGRAM = "ddbio report"
RULES: Rules = dict.fromkeys(("--output", "--state-dir"))

EXAMPLES = """\
examples:
  1. the report of a job, finished or not, by the beginning of its id, to import-Orders-3f2a9c0b1d4e.html
       {command} 3f2a
  2. to a file of another name
       {command} 3f2a -o orders.html

ddbio jobs lists the jobs and their ids. The file has no script and needs no network. To write it needs the extra: pip
install 'ddbio[report]'. Of finished jobs, the last 100 of the last 90 days are kept. Each verb writes the same at its
end with --report FILE.html.

exit codes: 0 written; 2 there is no such job, or the file cannot be written; 3 it could not be written to the end
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Write a page about a job, with charts, as one HTML file.",
        EXAMPLES,
        verb="report",
        rules=RULES,
        surplus_hint="give one id of a job",
        usage="%(prog)s ID [options]",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write it to this file, or to standard output if it is - (default: ID.html in the current folder)",
    )
    parser.add_argument(
        "--state-dir",
        metavar="PATH",
        help="folder for the state of jobs (default: $DDBIO_STATE_DIR, ~/.local/state/ddbio)",
    )
    return parser


def main() -> int:
    return run(PROGRAM, lambda command: _perform(sys.argv[1:]))


def _perform(words: Sequence[str]) -> int:
    asked, rest = (words[0], words[1:]) if words and not words[0].startswith("-") else ("", words)
    given = parser().parse(rest)
    if not asked:
        raise UsageError("the id of a job is missing", f"ddbio jobs lists them; write it right after {PROGRAM}")
    from ddbio.job.listing import find_job
    from ddbio.job.page import page_of_job
    from ddbio.job.report import write_report
    from ddbio.job.report_place import check_replaceable
    from ddbio.job.state import state_root
    from ddbio.report_page.kind import check_installed

    check_installed()
    job = find_job(state_root(given.state_dir), asked)
    path = Path(given.output or f"{job.id}.html")
    if given.output != STDOUT:
        _check(path)
        check_replaceable(path, "give another place with --output")
    page = page_of_job(job)
    if given.output == STDOUT:
        write_out(page.decode())
        return EXIT_OK
    write_report(path, page)
    write_out(f"{path}\n")
    return EXIT_OK


def _check(path: Path) -> None:
    """Raises UsageError if the file cannot be written there."""
    hint = "give another place with --output"
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise UsageError(f'"{path}" is not a file', hint)
    if not path.absolute().parent.is_dir():
        raise UsageError(f'there is no folder "{path.parent}"', hint)


if __name__ == "__main__":
    raise SystemExit(main())
