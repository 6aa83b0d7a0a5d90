"""The options that verbs share, and the lines of their summaries that are the same."""

from __future__ import annotations

import argparse
import contextlib
import re
from typing import TYPE_CHECKING, Any

from ddbio.aws.settings import AwsSettings
from ddbio.cli.display import add_display_options
from ddbio.cli.engine_option import add_engine_options
from ddbio.cli.parsing import Parser
from ddbio.cli.run import positive_int
from ddbio.cli.s3_options import given_of, s3_put_args
from ddbio.options import STDOUT

if TYPE_CHECKING:
    pass


def new_parser(description: str, examples: str, **settings: Any) -> Parser:
    """examples: the end of the help, in which {command} is replaced by the command as the user called it.
    settings: arguments of `Parser`."""
    parser = Parser(description=description, **settings)
    parser.epilog = examples.replace("{command}", parser.prog)
    return parser


def add_transfer_options(
    parser: argparse.ArgumentParser, *, units: str, formats: tuple[str, ...], default_lanes: str, tables: str = ""
) -> None:
    """Options of both import and export. units, tables: see `add_table_options`. formats: the default first."""
    add_table_options(parser, units=units, tables=tables)
    parser.add_argument(
        "--format",
        choices=formats,
        default=formats[0],
        help="the format of the records (default: %(default)s)",
    )
    add_transform_options(parser)
    add_endpoint_options(parser)
    add_s3_call_options(parser)
    add_run_options(parser, default_lanes=default_lanes)


def add_s3_call_options(parser: argparse.ArgumentParser) -> None:
    """Options for all calls of S3."""
    parser.add_argument("--s3-endpoint-url", metavar="URL", help="another S3 endpoint")
    parser.add_argument(
        "--s3-request-payer", choices=("requester",), dest="RequestPayer", help="agree to pay for requests to S3"
    )
    parser.add_argument(
        "--s3-expected-bucket-owner",
        type=account_id,
        metavar="ACCOUNT",
        dest="ExpectedBucketOwner",
        help="refuse buckets of other accounts",
    )


def add_table_options(
    parser: argparse.ArgumentParser, *, units: str, tables: str = "", required: bool = True
) -> None:
    """The options for the table, the cap and the number of processes.

    units: `write` or `read`, the units of the cap. tables: when `-t` may be repeated; empty if never.
    required: whether there is no job without `-t`.
    """
    parser.add_argument(
        "-t",
        "--table",
        required=required,
        action="append" if tables else "store",
        help=f"the table, by name or ARN{tables and '; '}{tables}",
    )
    parser.add_argument("-r", "--region", help="the AWS region (default: as for the AWS CLI)")
    parser.add_argument(
        "-p", "--processes", type=positive_int, metavar="N", help="worker processes (default: one per available CPU)"
    )
    parser.add_argument(
        "-c",
        "--capacity",
        metavar="UNITS",
        help=f"{units} units per second that all processes together may consume; a share of the table's capacity, "
        "such as 60%%; or a schedule, such as 1000,20:00=20000,06:00=1000 (default: the capacity of a provisioned "
        "table, the maximum of an on-demand one)",
    )
    parser.add_argument(
        "--over-provisioned", action="store_true", help="allow -c to exceed the capacity of a provisioned table"
    )


def add_endpoint_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", help="a profile of the AWS configuration")
    parser.add_argument("--endpoint-url", metavar="URL", help="another DynamoDB endpoint")


def add_run_options(
    parser: argparse.ArgumentParser, *, default_lanes: str, resumes: bool = True, items_on_stdout: bool = False
) -> None:
    """Options for the plan, the connections, giving up, resuming and reporting. resumes: whether the verb can.
    items_on_stdout: whether all runs write items there, so that no report can."""
    parser.add_argument(
        "--lanes",
        type=positive_int,
        metavar="N",
        help=f"maximum connections per process, opened as they help (default: {default_lanes})",
    )
    parser.add_argument(
        "--give-up-after",
        type=positive_int,
        default=600,
        metavar="SECONDS",
        help="stop after this time without a successful request (default: %(default)s)",
    )
    if resumes:
        parser.add_argument("--fresh", action="store_true", help="start over instead of resuming an unfinished job")
    parser.add_argument(
        "--state-dir",
        metavar="PATH",
        help="folder for the state of unfinished jobs (default: $DDBIO_STATE_DIR, ~/.local/state/ddbio)",
    )
    parser.add_argument(
        "--report",
        metavar="PATH",
        help="write a report on the run to this file: as JSON, or as a page with charts if its name ends in .html"
        + ("" if items_on_stdout else "; - for standard output")
        + (" (default: report.json in the job's state folder)" if resumes else " (default: none)"),
    )
    parser.add_argument(
        "--plan", action="store_true", help="say what would be read, written and needed, and do nothing"
    )
    parser.add_argument(
        "--prices",
        metavar="FILE",
        help="the prices for the costs: a JSON file, or live to ask AWS (default: ddbio's own)",
    )
    of_report = "print the report on standard output, as JSON; the summary goes to standard error. "
    parser.add_argument(
        "--json",
        action="store_true",
        help=("" if items_on_stdout else of_report)
        + 'With --plan: print that, as {"plan": [sentences], "forecast": {figures}}',
    )
    add_display_options(parser)
    add_engine_options(parser)


def add_scan_options(parser: argparse.ArgumentParser) -> None:
    """Options for how a table is scanned."""
    parser.add_argument(
        "--segments", type=positive_int, metavar="N", help="segments of the scan (default: from the table's size)"
    )
    parser.add_argument(
        "--consistent-read", action="store_true", help="strongly consistent reads; they cost twice the units"
    )


def add_spill_option(parser: argparse.ArgumentParser) -> None:
    """The option for the disk space of a comparison."""
    parser.add_argument(
        "--spill-dir",
        metavar="PATH",
        help="folder for the digests of both sides, until the job is finished (default: the job's state folder)",
    )


def add_filter_options(parser: argparse._ActionsContainer) -> None:
    """Options for which items of a scan count."""
    parser.add_argument(
        "--filter", metavar="EXPRESSION", help="only items that match: price > :p AND begins_with(sku, :s)"
    )
    parser.add_argument("--values", metavar="JSON", help='the values of --filter: {"p": 10, "s": "x"}')
    parser.add_argument("--names", metavar="JSON", help='full names of #placeholders: {"short": "the full name"}')
    parser.add_argument("--index", metavar="NAME", help="scan a secondary index instead of the table")


def add_sample_options(parser: argparse._ActionsContainer) -> None:
    """Options for scanning only some segments."""
    parser.add_argument(
        "--sample", type=percent, metavar="PERCENT", help="scan this share of the segments, chosen at random: 10%%"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the sample (default: 0)")


def add_subset_options(parser: argparse.ArgumentParser, *, doing: str) -> None:
    """Options for the part of a table to scan. doing: with its items, as a verb."""
    group = parser.add_argument_group("a part of the table", "See docs/shaping.md.")
    group.add_argument("--attributes", metavar="LIST", help=f"{doing} only these attributes: id,address.city,tags[0]")
    add_filter_options(group)
    group.add_argument("--limit", type=positive_int, metavar="N", help=f"{doing} at most N items")
    add_sample_options(group)


def percent(text: str) -> float:
    """An argparse type: `10%`, above 0 and at most 100."""
    with contextlib.suppress(ValueError):
        if 0 < float(text.removesuffix("%")) <= 100:
            return float(text.removesuffix("%"))
    raise argparse.ArgumentTypeError(f"{text!r} is not a percentage such as 10%")


def account_id(text: str) -> str:
    """An AWS account: 12 digits."""
    if not re.fullmatch(r"\d{12}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not an account id of 12 digits")
    return text


def add_transform_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("transforms", "Applied in this order. See docs/shaping.md.")
    group.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="rename an attribute; repeatable",
    )
    group.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="NAMES",
        help="attributes to remove, separated by commas",
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set an attribute of every item; the value is JSON, else a string; repeatable",
    )
    group.add_argument(
        "--transform",
        metavar="FILE.py:FUNCTION",
        help="a Python function that takes an item as Python values and returns an item, a list of items, or None",
    )


def add_reject_options(parser: argparse._ActionsContainer, *, where: str, noun: str) -> None:
    """Options for what cannot be moved. where: the destinations that may be named, and the default."""
    parser.add_argument("--rejects", metavar="PLACE", help=f"destination of rejected {noun}, {where}")
    parser.add_argument(
        "--max-errors",
        metavar="N",
        help=f"stop when more {noun} than N are rejected, or more than N%% of those read (default: no limit)",
    )


def table_options(given: argparse.Namespace) -> dict[str, Any]:
    """The fields of `TransferOptions` from the arguments."""
    return {
        "table": given.table[0] if isinstance(given.table, list) else given.table or "",
        "aws": AwsSettings(
            region=given.region,
            profile=given.profile,
            endpoint_url=given.endpoint_url,
            s3_endpoint_url=getattr(given, "s3_endpoint_url", None),
            s3_put_args=s3_put_args(given),
            s3_call_args=given_of(given, ("RequestPayer", "ExpectedBucketOwner")),
            longest_wait_s=given.give_up_after,
        ),
        "processes": given.processes,
        "capacity": given.capacity,
        "over_provisioned": given.over_provisioned,
        "lanes": given.lanes,
        "give_up_after_s": given.give_up_after,
        "fresh": getattr(given, "fresh", False),
        "state_dir": given.state_dir,
        "report": STDOUT if given.json and not given.plan else given.report,
    }


def shaping_options(given: argparse.Namespace) -> dict[str, Any]:
    """The fields of `ShapingOptions` from the arguments, with those of `TransferOptions`."""
    return {**table_options(given), "format": given.format, **transform_options(given)}


def transform_options(given: argparse.Namespace) -> dict[str, Any]:
    """The fields of `TransformOptions` from the arguments that `add_transform_options` adds."""
    return {
        "transform": given.transform,
        "rename": tuple(given.rename),
        "drop": tuple(given.drop),
        "assign": tuple(given.set),
    }


def scan_options(given: argparse.Namespace) -> dict[str, Any]:
    """The fields of `ScanOptions` from the arguments that the command has."""
    names = ("segments", "consistent_read", "attributes", "filter", "values", "names", "index", "limit")
    return {name: getattr(given, name) for name in (*names, "sample", "seed") if hasattr(given, name)}


def add_to_table_options(parser: argparse.ArgumentParser, *, units: str, more: str = "") -> None:
    """Options for the second table of a verb that has two. units: `write` or `read`, of its cap. more: what else it
    may be."""
    group = parser.add_argument_group("the second table")
    group.add_argument("--to", required=True, metavar="TABLE", help=f"the second table, by name or ARN{more}")
    group.add_argument("--to-region", metavar="REGION", help="its region (default: that of -t)")
    group.add_argument("--to-profile", metavar="NAME", help="the profile of its account (default: --profile)")
    group.add_argument(
        "--to-endpoint-url", metavar="URL", help="its endpoint (default: --endpoint-url, unless --to-region is given)"
    )
    group.add_argument(
        "--to-capacity",
        metavar="UNITS",
        help=f"its {units} units per second, as -c has those of the first (default: its capacity)",
    )


def to_table_options(given: argparse.Namespace) -> dict[str, Any]:
    """The fields of `ToTableOptions` from the arguments that `add_to_table_options` adds."""
    same_region = given.to_region is None and not given.to.startswith("arn:")
    return {
        "to": given.to,
        "to_aws": AwsSettings(
            region=given.to_region or (given.region if same_region else None),
            profile=given.to_profile or given.profile,
            endpoint_url=given.to_endpoint_url or (given.endpoint_url if given.to_region is None else None),
            longest_wait_s=given.give_up_after,
        ),
        "to_capacity": given.to_capacity,
    }
