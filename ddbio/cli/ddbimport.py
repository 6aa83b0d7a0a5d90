"""`DDBImport.py`: argv to `ImportOptions`, and the result as text."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from ddbio.cli import arguments, csv_options, s3_options, summaries
from ddbio.cli.option_rules import S3, S3_CALLS, S3_OBJECTS, TRANSFER, Rule, Rules, of_import
from ddbio.cli.parsing import Parser
from ddbio.cli.verb_command import VerbCommand
from ddbio.formats import FORMATS
from ddbio.options import AUTO
from ddbio.verbs.options import ImportOptions

if TYPE_CHECKING:
    from ddbio.verbs.import_table import Import, ImportResult

PROGRAM = "DDBImport.py"

_CSV_SOURCE = (
    *("--columns", "--delimiter", "--csv-types", "--infer-types", "--empty"),
    *("--csv-null", "--csv-escape", "--keep-blanks"),
)
_REJECTS_TO_S3 = Rule(
    lambda given: (given.rejects or "").startswith(S3),
    "to rejects written to S3",
    "name an s3:// destination with --rejects, or leave it out",
)
_IMPORT_USES_S3 = Rule(
    lambda given: any(place.startswith(S3) for place in (*given.source, given.rejects or "")),
    "if a source or --rejects is on S3",
)
_CREATE = Rule(lambda given: given.create_table, "with --create-table", "add --create-table, or leave it out")

RULES: Rules = {
    **TRANSFER,
    **dict.fromkeys(("--source", "--mode", "--create-table", "--rejects", "--max-errors")),
    **dict.fromkeys(("--allow-unfinished", "--no-verify")),
    "--verify-checksums": Rule(lambda given: not given.no_verify, "without --no-verify", "omit one of them"),
    "--fresh": Rule(
        lambda given: "-" not in given.source, "to sources that can be read again, not to standard input"
    ),
    "--key": _CREATE,
    "--with-indexes": _CREATE,
    **{option: of_import(option) for option in _CSV_SOURCE},
    **dict.fromkeys(S3_OBJECTS, _REJECTS_TO_S3),
    **dict.fromkeys(("--s3-endpoint-url", *S3_CALLS), _IMPORT_USES_S3),
}

EXAMPLES = """\
examples:
  1. a file, under a cap of 500 write units per second
       {command} -r us-east-1 -t Orders -s orders.json -c 500
  2. every JSON or CSV file in a folder and its subfolders, with 8 processes
       {command} -r us-east-1 -t Orders -s exported/ -p 8
  3. from S3, under 60 % of the table's capacity
       {command} -r us-east-1 -t Orders -s s3://my-bucket/orders/ -c 60%
  4. into a local endpoint
       {command} -r us-east-1 -t Orders -s 'part-*.json' --endpoint-url http://127.0.0.1:8000
  5. only items that are not in the table yet; nothing is overwritten
       {command} -r us-east-1 -t Orders -s orders.json --mode insert
  6. delete the items listed in a file, as keys or whole items
       {command} -r us-east-1 -t Orders -s old.json --mode delete
  7. an export into a new table with the same keys and indexes
       {command} -r us-east-1 -t Copy -s exported/ --create-table --with-indexes
  8. a file into a new table whose keys are named
       {command} -r us-east-1 -t New -s orders.json --create-table --key id:S
  9. CSV, some of its columns as numbers and sets
       {command} -r us-east-1 -t Orders -s orders.csv --csv-types amount:N,tags:SS
  10. without two attributes, and with a new one
       {command} -r us-east-1 -t Orders -s orders.json --drop email,phone --set 'imported=true'
  11. each item transformed by your own function
       {command} -r us-east-1 -t Orders -s orders.json --transform shape.py:shape

exit codes: 0 everything imported; 1 records were rejected; 2 the command cannot work as given (nothing was moved);
3 the import failed; 70 an internal error; 130 stopped; 141 the reader of standard output went away
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Import files of JSON, CSV, Parquet or Avro from disk or S3 into a DynamoDB table.",
        EXAMPLES,
        verb="import",
        rules=RULES,
        surplus_hint="put a glob in quotes (-s 'part-*.json'), and write -s before each of several sources",
    )
    parser.add_argument(
        "-s",
        "--source",
        action="append",
        required=True,
        metavar="SOURCE",
        help="a file, a folder, a glob, s3://bucket/prefix or an S3 object, gzip and zstd too; - for standard input; "
        "a folder with an export by DynamoDB itself; repeatable",
    )
    add_write_options(parser)
    arguments.add_transfer_options(
        parser,
        units="write",
        formats=(AUTO, *FORMATS),
        default_lanes="128",
        tables="repeat for several tables; --transform then chooses the table of each item",
    )
    arguments.add_reject_options(
        parser, where="a file or s3://bucket/key (default: NAME.rejects.jsonl)", noun="records"
    )
    add_export_source_options(parser)
    csv_options.add_csv_import_options(parser)
    s3_options.add_s3_options(parser)
    return parser


def add_write_options(parser: Parser) -> None:
    """Options for how a record changes the table, and whether the table is created first."""
    parser.add_argument(
        "--mode",
        choices=("put", "insert", "delete"),
        default="put",
        help="put: replace an item with the same key; insert: keep it, and count the record as skipped (slower: "
        "one request per item); delete: delete the items with these keys (default: %(default)s)",
    )
    parser.add_argument(
        "--create-table",
        action="store_true",
        help="create the table, on-demand, if it does not exist, with the keys in --key or in the manifest of an "
        "export among the sources",
    )
    parser.add_argument("--key", metavar="NAME:TYPE[,NAME:TYPE]", help="the keys of the new table: id:S,at:N")
    parser.add_argument(
        "--with-indexes", action="store_true", help="also create the indexes in the manifest; each one consumes units"
    )


def add_export_source_options(parser: Parser) -> None:
    """Options for how far exports among the sources are verified."""
    group = parser.add_argument_group("exports by DDBExport.py as sources")
    group.add_argument("--no-verify", action="store_true", help="do not check exports against their manifests")
    group.add_argument(
        "--verify-checksums",
        action="store_true",
        help="first verify the SHA-256 of every file of an export; the files are read twice",
    )
    group.add_argument(
        "--allow-unfinished", action="store_true", help="import the finished files of an unfinished export"
    )


def options(given: argparse.Namespace) -> ImportOptions:
    return ImportOptions(
        **arguments.shaping_options(given),
        sources=tuple(given.source),
        rejects=given.rejects,
        mode=given.mode,
        more_tables=tuple(given.table[1:]),
        create_table=given.create_table,
        key=given.key,
        with_indexes=given.with_indexes,
        max_errors=given.max_errors,
        verify=not given.no_verify,
        verify_checksums=given.verify_checksums,
        allow_unfinished=given.allow_unfinished,
        csv=csv_options.csv_options(given),
    )


def load() -> type[Import]:
    from ddbio.verbs.import_table import Import

    return Import


def summary(result: ImportResult) -> str:
    """The last lines of the output; every count that is not 0 is in them."""
    tally = result.tally
    counts = [f"{tally.read:,} read"]
    counts += [f"{tally.written - tally.deleted:,} written"] * (tally.written != tally.deleted or not tally.deleted)
    counts += [f"{tally.deleted:,} deleted"] * bool(tally.deleted)
    counts += [f"{tally.rejected:,} rejected", *summaries.transformed(tally)]
    counts += [f"{tally.skipped:,} skipped because their key was taken"] * bool(tally.skipped)
    counts += [f"{tally.replaced:,} replaced by a later record with the same key"] * bool(tally.replaced)
    counts += [f"{tally.blank:,} blank line{'s' * (tally.blank != 1)} skipped"] * bool(tally.blank)
    lines = [", ".join(counts), summaries.consumption(result, result.cap)]
    lines += summaries.this_run(result) + summaries.rejected(result, "records")
    if result.rejects is not None:
        lines.append(f"fix them there, then import that file: -s {shlex.quote(str(result.rejects))}")
    return "\n".join(lines)


COMMAND = VerbCommand(PROGRAM, parser, options, load, summary)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
