"""`ddbio sql`: argv to `SqlOptions`, and the result as text."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ddbio.cli import arguments, summaries
from ddbio.cli.option_rules import S3_CALLS, TABLE, Rule, Rules, needs
from ddbio.cli.parsing import Parser
from ddbio.cli.verb_command import VerbCommand
from ddbio.errors import UsageError
from ddbio.options import STDOUT
from ddbio.verbs.options import SqlOptions

if TYPE_CHECKING:
    from ddbio.job.spine import Story
    from ddbio.verbs.sql import SqlResult

PROGRAM = "ddbio sql"
_OF_TABLE = ("--capacity", "--segments", "--consistent-read", "--index")
_OUT_OF_STDOUT = Rule(lambda given: given.output == STDOUT, "with --output -", "add --output -, or leave it out")
_FILES = needs("--source")

RULES: Rules = {
    **{option: rule for option, rule in TABLE.items() if option != "--fresh"},
    **dict.fromkeys(("--query", "--source", "--table", "--output", "--memory", "--keep")),
    **dict.fromkeys(_OF_TABLE, needs("--table")),
    **dict.fromkeys((*S3_CALLS, "--s3-endpoint-url"), _FILES),
    "--format": _OUT_OF_STDOUT,
    "--json": Rule(
        lambda given: given.report is None and (given.plan or given.output not in (None, STDOUT)),
        "with --output FILE or --plan, and without --report",
        "the rows as JSON: --output - --format json; the report: --report FILE",
    ),
}

EXAMPLES = """\
examples:
  1. a table, of which only the attributes that the query names are sent
       {command} 'SELECT status, count(*), sum(price) FROM t GROUP BY status' -r us-east-1 -t Orders -c 1000
  2. an export, into a file
       {command} 'SELECT * FROM t WHERE price > 900' -s exported/ --output dear.parquet
  3. a table, kept as a DuckDB database for further queries
       {command} 'SELECT count(*) FROM "Orders"' -r us-east-1 -t Orders --keep orders.duckdb

exit codes: 0 the query is done; 2 the command or the query cannot work as given; 3 reading failed; 70 an internal
error; 130 stopped; 141 the reader of standard output went away
"""


class _QueryFirst(Parser):
    """The query may come first, without an option."""

    def parse(self, argv: Sequence[str] | None = None) -> argparse.Namespace:
        words = sys.argv[1:] if argv is None else list(argv)
        return super().parse(["--query", *words] if words and not words[0].startswith("-") else words)


def parser() -> Parser:
    parser = _QueryFirst(
        description="Run a SELECT of DuckDB's SQL over the items of a DynamoDB table or of files.",
        verb="sql",
        rules=RULES,
        surplus_hint="put the query first, in quotes",
    )
    parser.epilog = EXAMPLES.replace("{command}", parser.prog)
    parser.add_argument("--query", required=True, metavar="SELECT", help="the query; its table is called t")
    parser.add_argument(
        "-s", "--source", action="append", metavar="PLACE", help="read files instead of a table, as an import does"
    )
    arguments.add_table_options(parser, units="read", required=False)
    arguments.add_scan_options(parser)
    parser.add_argument("--index", metavar="NAME", help="read a secondary index instead of the table")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="a file that ends in .csv, .json or .parquet; - for standard output (default: a text table there)",
    )
    parser.add_argument("--format", choices=("csv", "json"), default="csv", help="of --output - (default: csv)")
    parser.add_argument(
        "--memory",
        default="1GB",
        metavar="SIZE",
        help="that DuckDB may use; beyond that it uses the temporary folder (default: %(default)s)",
    )
    parser.add_argument("--keep", metavar="FILE", help="keep the table in this DuckDB database, a new file")
    arguments.add_endpoint_options(parser)
    arguments.add_s3_call_options(parser)
    arguments.add_run_options(parser, default_lanes="8", resumes=False)
    return parser


def options(given: argparse.Namespace) -> SqlOptions:
    given.table = given.table or ""
    return SqlOptions(
        **arguments.table_options(given),
        **arguments.scan_options(given),
        query=given.query,
        sources=tuple(given.source or ()),
        output=given.output,
        format=given.format,
        memory=given.memory,
        keep=given.keep,
    )


def load() -> Callable[[SqlOptions], Story[SqlResult]]:
    from ddbio.verbs.sql import SqlTable
    from ddbio.verbs.sql_files import SqlFiles

    def story(options: SqlOptions) -> Story[SqlResult]:
        if bool(options.table) == bool(options.sources):
            raise UsageError("a query reads either a table or files", "give one of -t TABLE and -s PLACE")
        return SqlFiles(options) if options.sources else SqlTable(options)

    return story


def summary(result: SqlResult) -> str:
    """The last lines: the rows, and what was read for them."""
    tally = result.tally
    where = f" to {result.output}" if result.output not in (None, STDOUT) else ""
    lines = [f"{summaries.counted(result.rows, 'row')}{where} of {summaries.counted(tally.read, 'item')}"]
    cost = f"{result.seconds:.1f} s" if result.cap is None else summaries.consumption(result, result.cap)
    return "\n".join([*lines, cost])


COMMAND = VerbCommand(
    PROGRAM, parser, options, load, summary, data_on_stdout=lambda options: options.output in (None, STDOUT)
)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
