"""`DDBExport.py`: argv to `ExportOptions`, and the result as text."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ddbio.cli import arguments, csv_options, s3_options, summaries
from ddbio.cli.option_rules import S3, S3_CALLS, S3_OBJECTS, SUBSET, TRANSFER, Rule, Rules, of_export
from ddbio.cli.parsing import Parser
from ddbio.cli.run import positive_int
from ddbio.cli.verb_command import VerbCommand
from ddbio.formats import EXPORTED, declaration_of
from ddbio.formats.compression import COMPRESSIONS
from ddbio.options import DEFAULT_FILE_MEGABYTES, NUMBERS, STDOUT
from ddbio.verbs.options import ExportOptions

if TYPE_CHECKING:
    from ddbio.verbs.export_table import Export, ExportResult

PROGRAM = "DDBExport.py"

_TO_FILES = Rule(lambda given: given.destination != "-", "to an export into files, not to standard output")
_NOT_COMPRESSED_INSIDE = Rule(
    lambda given: not declaration_of(given.format).compressed_inside, "to formats that are not compressed inside"
)
_EXPORT_TO_S3 = Rule(
    lambda given: given.destination.startswith(S3), "to an export to S3", "name an s3:// destination"
)

RULES: Rules = {
    **TRANSFER,
    **SUBSET,
    **dict.fromkeys(("--destination", "--segments", "--consistent-read", "--native-layout")),
    "--size": _TO_FILES,
    "--fresh": _TO_FILES,
    "--if-exists": _TO_FILES,
    "--compress": _NOT_COMPRESSED_INSIDE,
    **{option: of_export(option) for option in ("--columns", "--numbers")},
    **dict.fromkeys(S3_OBJECTS, _EXPORT_TO_S3),
    **dict.fromkeys(("--s3-endpoint-url", *S3_CALLS), _EXPORT_TO_S3),
}

EXAMPLES = """\
examples:
  1. to a folder, under a cap of 1,000 read units per second
       {command} -r us-east-1 -t Orders -d exported/ -c 1000
  2. to S3 in files of 512 MB, with 8 processes
       {command} -r us-east-1 -t Orders -d s3://my-bucket/orders/ -s 512 -p 8
  3. under half of the table's capacity, with strongly consistent reads
       {command} -r us-east-1 -t Orders -d exported/ -c 50% --consistent-read
  4. gzipped, to S3
       {command} -r us-east-1 -t Orders -d s3://my-bucket/orders/ --compress gzip
  5. from a local endpoint, as DynamoDB JSON
       {command} -r us-east-1 -t Orders -d exported/ --format dynamodb-json --endpoint-url http://127.0.0.1:8000
  6. a part: two attributes of the items that match a filter
       {command} -t Orders -d exported/ --attributes id,n --filter 'n > :least' --values '{"least": 10}'
  7. a thousand items of a tenth of the table, chosen at random
       {command} -r us-east-1 -t Orders -d exported/ --sample 10% --limit 1000

exit codes: 0 everything exported; 2 the command cannot work as given (nothing was moved); 3 the export failed;
70 an internal error; 130 stopped; 141 the reader of standard output went away
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Export a DynamoDB table to disk or S3 by a parallel scan.",
        EXAMPLES,
        verb="export",
        rules=RULES,
        surplus_hint="put an option before each value, and a value with blanks or a * in quotes",
    )
    parser.add_argument(
        "-d",
        "--destination",
        required=True,
        metavar="WHERE",
        help="a folder (created if missing), s3://bucket/prefix, or - for standard output",
    )
    parser.add_argument(
        "-s",
        "--size",
        type=positive_int,
        default=DEFAULT_FILE_MEGABYTES,
        metavar="MB",
        help="maximum size of a file, in megabytes of 1,000,000 bytes (default: %(default)s)",
    )
    parser.add_argument(
        "--compress",
        choices=tuple(COMPRESSIONS),
        default="none",
        help="compress the files; -s is then the compressed size (default: %(default)s)",
    )
    parser.add_argument(
        "--native-layout",
        action="store_true",
        help="write files and manifests in the layout of DynamoDB's own export, for its import or this one; implies "
        "dynamodb-json and gzip",
    )
    parser.add_argument(
        "--if-exists",
        choices=("fail", "overwrite", "resume"),
        default="fail",
        help="if the destination is not empty: fail; overwrite the export in its manifest; or resume the unfinished "
        "export of this command, as every run does, and fail if there is none (default: %(default)s)",
    )
    arguments.add_transfer_options(parser, units="read", formats=EXPORTED, default_lanes="8")
    arguments.add_scan_options(parser)
    add_column_options(parser)
    arguments.add_subset_options(parser, doing="export")
    s3_options.add_s3_options(parser)
    return parser


def add_column_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--columns",
        type=csv_options.names,
        metavar="NAMES",
        help="columns of CSV, a,b:N,c, or of Parquet or Avro, a:S,b:N (default: all attributes; to find "
        "them the table is read twice)",
    )
    parser.add_argument(
        "--numbers",
        choices=NUMBERS,
        default="string",
        help="numbers in Parquet and Avro: text, which keeps any number, or decimal128(38, 9), which some do not fit "
        "(default: %(default)s)",
    )


def options(given: argparse.Namespace) -> ExportOptions:
    return ExportOptions(
        **arguments.shaping_options(given),
        **arguments.scan_options(given),
        destination=given.destination,
        if_exists=given.if_exists,
        file_megabytes=given.size,
        compress=given.compress,
        native_layout=given.native_layout,
        columns=given.columns,
        numbers=given.numbers,
    )


def load() -> type[Export]:
    from ddbio.verbs.export_table import Export

    return Export


def summary(result: ExportResult) -> str:
    """The last lines of the output; every count that is not 0 is in them."""
    tally = result.tally
    size = sum(each.file.size_bytes for each in result.files)
    where = f"{summaries.counted(len(result.files), 'file')} of {size:,} bytes"
    if result.destination == STDOUT:
        where = f"standard output, {tally.bytes:,} bytes"
    unfinished = tally.read + tally.added - tally.dropped - tally.left_out - tally.written
    aside = [f"{unfinished:,} kept in files that are not finished"] * (result.error is not None and unfinished > 0)
    aside += [f"{tally.left_out:,} filtered out"] * bool(tally.left_out) + summaries.transformed(tally)
    lines = [
        f"{tally.read:,} read, {tally.written:,} exported to {where}{', '.join(['', *aside])}",
        summaries.consumption(result, result.cap),
    ]
    lines += summaries.this_run(result)
    if result.manifest is not None:
        lines.append(f"manifest: {result.manifest}")
    return "\n".join(lines)


COMMAND = VerbCommand(
    PROGRAM, parser, options, load, summary, data_on_stdout=lambda options: options.destination == STDOUT
)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
