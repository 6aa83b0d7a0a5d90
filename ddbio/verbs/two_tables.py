"""Shared by the verbs that have a second table: `--to`, in its region and account, with its cap."""

from __future__ import annotations

import os

from ddbio.dynamodb.session import Session
from ddbio.errors import UsageError
from ddbio.job.side import Side
from ddbio.options import ToTableOptions
from ddbio.values.table import TableInfo

CHECK_TO = "check --to, --to-region, --to-profile and --to-endpoint-url"
_ENDPOINTS = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL")  # the first wins


def other_session(options: ToTableOptions) -> Session:
    return Session(options.to_aws, (options.to,))


def describe_other(options: ToTableOptions, session: Session) -> TableInfo:
    """The table of `--to`, which must exist. Raises UsageError."""
    table = session.find(options.to)
    if table is None:
        raise UsageError(f'table "{options.to}" in {session.region} does not exist', CHECK_TO)
    table.check_usable()
    return table


def other_side(
    options: ToTableOptions,
    kind: str,
    *,
    role: str = "",
    session: Session | None = None,
    table: TableInfo | None = None,
) -> Side:
    """The table of `--to`. kind, role: see `Side.choose`.

    session: `other_session`, if the caller has one; table: if it was described already.
    Raises UsageError if there is no such table, or for an impossible cap.
    """
    session = session or other_session(options)
    table = table or describe_other(options, session)
    return Side.choose(
        session,
        table,
        kind,
        options.to,
        options.to_capacity,
        over_provisioned=options.over_provisioned,
        role=role,
        option="--to-capacity",
    )


def check_different(session: Session, table: TableInfo, other: Side) -> None:
    """Raise UsageError if both tables are the same one, however each is named."""
    if _is_same(session, table, other):
        hint = "name another table with --to, or the region or account of the other with --to-region or --to-profile"
        variable = next((name for name in _ENDPOINTS if os.environ.get(name) == session.endpoint_url), None)
        if variable is not None and session.region != other.session.region:
            hint = f"{variable} sends both regions to {session.endpoint_url}: name the other with --to-endpoint-url"
        raise UsageError(f'-t and --to are the same table, "{table.name}" in {session.region}', hint)


def _is_same(session: Session, table: TableInfo, other: Side) -> bool:
    """An endpoint may have several names, and the account of another one may have a table of the same ARN."""
    first, second = table.description, other.table.description
    if (table.name, first.get("TableArn")) != (other.table.name, second.get("TableArn")):
        return False
    same_endpoint = (session.region, session.endpoint_url) == (other.session.region, other.session.endpoint_url)
    return same_endpoint or first.get("TableId") == second.get("TableId") is not None
