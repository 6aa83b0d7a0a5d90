"""The IAM policy that one command needs, and no more.

Sources: the service authorization reference of DynamoDB, S3 and S3 Express (the actions, their resources and their
conditions); the developer guide's examples (a scan of an index is authorised on `table/T/index/*`); the S3 user
guide, "Required permissions for Amazon S3 API operations" (an upload in parts needs `s3:PutObject` to begin and to
end, and `s3:ListMultipartUploadParts` to be resumed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ddbio.forecast.price_list import PERMISSION
from ddbio.options import ComparisonOptions, ScanOptions, TransferOptions, is_place
from ddbio.verbs.options import (
    CopyOptions,
    CountOptions,
    DeleteOptions,
    DiffOptions,
    ExportOptions,
    FindOptions,
    ImportOptions,
    InspectOptions,
    RevertOptions,
    SqlOptions,
    SyncOptions,
    UpdateOptions,
    VerifyOptions,
)

_GLOB = "*?["
_EXPRESS = "--x-s3"  # at the end of a directory bucket's name


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of the resources. partition: `aws`, `aws-cn` ...; region, account: `*` if unknown."""

    partition: str = "aws"
    region: str = "*"
    account: str = "*"

    def table(self, name_or_arn: str) -> str:
        if name_or_arn.startswith("arn:"):
            return name_or_arn
        return f"arn:{self.partition}:dynamodb:{self.region}:{self.account}:table/{name_or_arn}"

    def bucket(self, name: str) -> str:
        if name.startswith("arn:"):
            return name
        return f"arn:{self.partition}:s3:::{name}"

    def kms_key(self, key_id_or_arn: str) -> str:
        if key_id_or_arn.startswith("arn:"):
            return key_id_or_arn
        return f"arn:{self.partition}:kms:{self.region}:{self.account}:key/{key_id_or_arn}"

    def directory_bucket(self, name: str) -> str:
        return f"arn:{self.partition}:s3express:{self.region}:{self.account}:bucket/{name}"


def policy_of(
    options: TransferOptions, scope: Scope, *, plan: bool = False, live_prices: bool = False
) -> dict[str, Any]:
    """The policy document for a run with these options. plan: also for all that its plan may say. live_prices: with
    prices that AWS is asked for. The actions without a table have no resources."""
    statements = list(_POLICIES[type(options)](options, scope))
    if plan:
        statements += _of_plan(options, scope)
    if live_prices:
        statements.append(_allow("Prices", [PERMISSION], ["*"]))
    return {"Version": "2012-10-17", "Statement": statements}


def _of_plan(options: TransferOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    """A plan without these says that they are unknown."""
    names = [name for name in (options.table, getattr(options, "to", "")) if name and not is_place(name)]
    if names:
        yield _allow("PlanHistory", ["dynamodb:DescribeContinuousBackups"], [scope.table(name) for name in names])
        yield _allow("PlanQuota", ["dynamodb:DescribeLimits"], ["*"])


def _allow(sid: str, actions: Iterable[str], resources: Iterable[str], **more: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources), **more}


def _of_import(options: ImportOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    tables = [scope.table(name) for name in (options.table, *options.more_tables)]
    actions = ["dynamodb:DescribeTable"]
    # BatchWriteItem deletes, too: for --mode delete, batch-write requests, incremental exports.
    actions += ["dynamodb:PutItem"] if options.mode == "insert" else ["dynamodb:BatchWriteItem"]
    actions += ["dynamodb:CreateTable"] * options.create_table
    yield _allow("Table", actions, tables)
    sources = [_split(source) for source in options.sources if source.startswith("s3://")]
    rejects = [_split(place) for place in [options.rejects or ""] if place.startswith("s3://")]
    yield from _reading(sources, rejects, scope)
    for bucket, key in rejects:
        yield from _listing_uploads(bucket, scope)
        yield from _writing(bucket, key, options, scope, "Rejects", ["s3:AbortMultipartUpload"])


def _scanning(options: ScanOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    table = scope.table(options.table)
    if options.index is None:
        yield _allow("Table", ["dynamodb:DescribeTable", "dynamodb:Scan"], [table])
    else:
        yield _allow("Table", ["dynamodb:DescribeTable"], [table])
        yield _allow("Index", ["dynamodb:Scan"], [f"{table}/index/{options.index}"])


def _of_copy(options: CopyOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    yield from _scanning(options, scope)
    if options.create_table:
        yield _allow("TimeToLive", ["dynamodb:DescribeTimeToLive"], [scope.table(options.table)])
    other = replace(scope, region=options.to_aws.region or scope.region).table(options.to)
    actions = ["dynamodb:DescribeTable", "dynamodb:CreateTable"][: 1 + options.create_table]
    write = "dynamodb:PutItem" if options.mode == "insert" else "dynamodb:BatchWriteItem"
    yield _allow("ToTable", [*actions, write], [other])


def _of_sql(options: SqlOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    if options.table:
        yield from _scanning(options, scope)
    yield from _reading([_split(source) for source in options.sources if source.startswith("s3://")], [], scope)


def _of_inspection(options: InspectOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    actions = ["dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:Scan"]
    yield _allow("Table", actions, [scope.table(options.table)])


def _of_export(options: ExportOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    yield from _scanning(options, scope)
    if options.destination.startswith("s3://"):
        yield from _exported(options.destination, options, scope)


def _exported(destination: str, options: TransferOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    bucket, prefix = _split(destination)
    folder = f"{prefix.rstrip('/')}/" if prefix else ""
    yield from _listing([(bucket, folder)], scope)
    yield from _listing_uploads(bucket, scope)
    more = ["s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    yield from _writing(bucket, f"{folder}*", options, scope, "Objects", more)


def _of_delete(options: DeleteOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    actions = ["dynamodb:DescribeTable", "dynamodb:DescribeContinuousBackups"]
    actions += [] if options.sources else ["dynamodb:Scan"]
    actions += ["dynamodb:DeleteItem"] if options.if_unchanged else ["dynamodb:BatchWriteItem"]
    yield _allow("Table", actions, [scope.table(options.table)])
    yield from _reading([_split(source) for source in options.sources if source.startswith("s3://")], [], scope)
    if (options.backup or "").startswith("s3://"):
        yield from _exported(options.backup or "", options, scope)


def _of_update(options: UpdateOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    actions = ["DescribeTable", "DescribeContinuousBackups", "Scan", "UpdateItem"]
    yield _allow("Table", [f"dynamodb:{action}" for action in actions], [scope.table(options.table)])


def _of_revert(options: RevertOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    writes = ["BatchWriteItem"] if options.force else ["PutItem", "UpdateItem", "DeleteItem"]
    actions = ["DescribeTable", "DescribeContinuousBackups", *writes]
    yield _allow("Table", [f"dynamodb:{action}" for action in actions], [scope.table(options.table)])
    yield from _reading([_split(source) for source in options.sources if source.startswith("s3://")], [], scope)


def _reading(
    sources: list[tuple[str, str]], rejects: list[tuple[str, str]], scope: Scope
) -> Iterator[dict[str, Any]]:
    places = list(dict.fromkeys((bucket, _before_glob(prefix)) for bucket, prefix in sources))
    folders = [(bucket, key.rpartition("/")[0] + "/" * ("/" in key)) for bucket, key in rejects]
    yield from _listing([*places, *folders], scope)
    objects = [f"{scope.bucket(bucket)}/{prefix}*" for bucket, prefix in places if not _is_express(bucket)]
    if objects:
        yield _allow("Sources", ["s3:GetObject"], objects)


def _listing(places: list[tuple[str, str]], scope: Scope) -> Iterator[dict[str, Any]]:
    """A statement a bucket. places: pairs of bucket and prefix."""
    for number, bucket in enumerate(dict.fromkeys(bucket for bucket, _ in places)):
        sid = f"List{number + 1 if number else ''}"
        if _is_express(bucket):
            yield _allow(sid, ["s3express:CreateSession"], [scope.directory_bucket(bucket)])
            continue
        prefixes = [f"{prefix}*" for each, prefix in places if each == bucket]
        condition = {} if "*" in prefixes else {"Condition": {"StringLike": {"s3:prefix": prefixes}}}
        yield _allow(sid, ["s3:ListBucket"], [scope.bucket(bucket)], **condition)


def _listing_uploads(bucket: str, scope: Scope) -> Iterator[dict[str, Any]]:
    if not _is_express(bucket):
        # No condition on a prefix: this action has none.
        yield _allow("ListUploads", ["s3:ListBucketMultipartUploads"], [scope.bucket(bucket)])


def _writing(
    bucket: str, key: str, options: TransferOptions, scope: Scope, sid: str, more: list[str]
) -> Iterator[dict[str, Any]]:
    if not _is_express(bucket):
        with_acl = ["s3:PutObjectAcl"] * ("ACL" in options.aws.s3_put_args)
        yield _allow(sid, ["s3:PutObject", *with_acl, *more], [f"{scope.bucket(bucket)}/{key}"])
    kms_key = options.aws.s3_put_args.get("SSEKMSKeyId")
    if kms_key is not None:
        yield _allow(f"{sid}Key", ["kms:GenerateDataKey", "kms:Decrypt"], [scope.kms_key(kms_key)])


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _before_glob(prefix: str) -> str:
    first = min((prefix.find(sign) for sign in _GLOB if sign in prefix), default=len(prefix))
    return prefix[:first]


def _is_express(bucket: str) -> bool:
    return bucket.endswith(_EXPRESS)


def _of_comparison(
    options: ComparisonOptions, scope: Scope, outputs: list[tuple[str, str]], second: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Both sides are read. If the second table is in another account, its statement belongs to a policy there.

    outputs: on S3, as bucket and key. second: further actions on the second table.
    """
    places = [each for each in (options.table, options.to) if is_place(each)]
    actions = ["dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:BatchGetItem"]
    regions = (options.aws.region, options.to_aws.region)
    for number, (side, region) in enumerate(zip((options.table, options.to), regions, strict=True)):
        if side not in places:
            of_side = replace(scope, region=region) if number and region else scope
            more = second if number else ()
            yield _allow(("Table", "OtherTable")[number], [*actions, *more], [of_side.table(side)])
    yield from _reading([_split(each) for each in places if each.startswith("s3://")], outputs, scope)


def _of_diff(options: DiffOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    outputs = [_split(place) for place in [options.output or ""] if place.startswith("s3://")]
    yield from _of_comparison(options, scope, outputs)
    for bucket, key in outputs:
        yield from _listing_uploads(bucket, scope)
        yield from _writing(bucket, key, options, scope, "Output", ["s3:AbortMultipartUpload"])


def _of_verify(options: VerifyOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    if options.to:
        yield from _of_comparison(options, scope, [])
    elif options.table.startswith("s3://"):
        yield from _reading([_split(options.table)], [], scope)


def _of_sync(options: SyncOptions, scope: Scope) -> Iterator[dict[str, Any]]:
    single = ["PutItem", "UpdateItem", *([] if options.no_delete else ["DeleteItem"])]
    writes = ["BatchWriteItem"] if options.overwrite else single
    asked = ["dynamodb:DescribeContinuousBackups"]
    yield from _of_comparison(options, scope, [], [*asked, *(f"dynamodb:{action}" for action in writes)])


_POLICIES: dict[type[TransferOptions], Callable[[Any, Scope], Iterator[dict[str, Any]]]] = {
    ImportOptions: _of_import,
    ExportOptions: _of_export,
    CountOptions: _scanning,
    CopyOptions: _of_copy,
    DiffOptions: _of_diff,
    DeleteOptions: _of_delete,
    RevertOptions: _of_revert,
    FindOptions: _scanning,
    SyncOptions: _of_sync,
    VerifyOptions: _of_verify,
    InspectOptions: _of_inspection,
    UpdateOptions: _of_update,
    SqlOptions: _of_sql,
}
