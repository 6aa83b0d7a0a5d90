"""Listing S3: one object, the objects below a prefix, or the matches of a glob.

`s3://bucket/x` is, in this order:

1. the object `x`, whatever its suffix;
2. the folder `x`: the objects below `x/`;
3. the objects in x's own folder whose names begin with x: `s3://bucket/data/part-` is `data/part-0000.json` and so
   on, but `s3://bucket/Orders` is never `Orders-old/0000.json`. For all keys that begin with x, write `x*`.

`s3://bucket`, `s3://bucket/` and `s3://bucket/x/` are folders. `*`, `?` and `[` in a key are wildcards unless an
object has exactly that key. Keys are never percent-decoded. The markers that consoles create for "folders" (`x/`) are
skipped; the other rules of which names are data are in `ddbio.storage.names`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ddbio.errors import DdbioError, NothingMatchedError, UsageError
from ddbio.messages.files import SourceFile
from ddbio.storage.names import Glob, PassedOver, has_magic, is_data_path, or_list
from ddbio.storage.s3_client import S3Client
from ddbio.storage.s3_errors import fault_code
from ddbio.storage.s3_upload import list_uploads
from ddbio.storage.s3_uris import parse_uri, uri_of


def list_objects(
    client: S3Client, uri: str, suffixes: tuple[str, ...], passed_over: PassedOver | None = None
) -> list[SourceFile]:
    """See `Storage.list_files`."""
    passed_over = passed_over or PassedOver()
    bucket, key = parse_uri(uri)
    if key and not key.endswith("/") and (named := _named(client, bucket, key)):
        return [named]
    files = list(
        _glob(client, bucket, key, suffixes, passed_over)
        if has_magic(key)
        else _below(client, bucket, key, suffixes, passed_over)
    )
    if not files:
        raise _nothing_matched(uri, key, suffixes)
    return sorted(files, key=lambda file: file.uri)


def find_object(client: S3Client, bucket: str, key: str, kind: type[DdbioError]) -> SourceFile | None:
    """The object with exactly this key, if it exists. Reading one object needs no permission to list.

    Raises `kind` if S3 does not answer that.
    """
    try:
        head = client.call("head_object", uri_of(bucket, key), kind, Bucket=bucket, Key=key)
    except DdbioError as error:
        if fault_code(error) != "NoSuchKey":
            raise
        return None
    return SourceFile(uri_of(bucket, key), head["ContentLength"], head["ETag"])


def _named(client: S3Client, bucket: str, key: str) -> SourceFile | None:
    """The object with exactly this key, if it exists. Raises UsageError if it exists but may not be read."""
    try:
        return find_object(client, bucket, key, UsageError)
    except UsageError as error:
        # S3 answers 403 for a missing key, too, if the credentials may not list; a listing shows which it is.
        if fault_code(error) != "AccessDenied":
            raise
        first = next(_keys(client, bucket, key, MaxKeys=1), None)
        if first is not None and not first[1]:
            raise
        return None


def first_below(client: S3Client, bucket: str, prefix: str) -> str | None:
    """The rest of the key of one object below `prefix`, if there is any."""
    return next((rest for _, rest in _keys(client, bucket, prefix, MaxKeys=2) if rest), None)


def sizes_below(client: S3Client, bucket: str, prefix: str) -> dict[str, int]:
    """The rest of the key of every object below `prefix`, and its size."""
    return {rest: file.size_bytes for file, rest in _keys(client, bucket, prefix) if rest}


def list_unfinished(client: S3Client, uri: str) -> Iterator[str]:
    """See `Storage.list_unfinished`: open uploads in the folders that `uri` names. Raises DdbioError."""
    bucket, key = parse_uri(uri)
    glob = Glob.parse(key) if has_magic(key) else None
    prefix = glob.prefix if glob else key if not key or key.endswith("/") else f"{key}/"
    for begun, _ in list_uploads(client, bucket, prefix):
        if glob is None or glob.inside(tuple(begun[len(glob.root) :].split("/"))):
            yield uri_of(bucket, begun)


def _below(
    client: S3Client, bucket: str, key: str, suffixes: tuple[str, ...], passed_over: PassedOver
) -> Iterator[SourceFile]:
    folder = key if not key or key.endswith("/") else f"{key}/"
    empty = True
    for file, rest in _keys(client, bucket, folder):
        passed_over.meet(file.uri, tuple(rest.split("/")))
        if is_data_path(rest.split("/"), suffixes):
            empty = False
            yield file
        else:
            passed_over.add(file.uri, rest)
    if empty and folder != key:
        stem = key.rpartition("/")[2]
        for file, rest in _keys(client, bucket, key, Delimiter="/"):
            if is_data_path([stem + rest], suffixes):
                yield file
            else:
                passed_over.add(file.uri, stem + rest)


def _glob(
    client: S3Client, bucket: str, key: str, suffixes: tuple[str, ...], passed_over: PassedOver
) -> Iterator[SourceFile]:
    glob = Glob.parse(key)
    for file, rest in _keys(client, bucket, glob.prefix):
        below_root = glob.prefix[len(glob.root) :] + rest
        parts = tuple(below_root.split("/"))
        if inside := glob.inside(parts):
            passed_over.meet(file.uri, inside)
        if glob.takes(parts, suffixes):
            yield file
        elif glob.reaches(parts):
            passed_over.add(file.uri, below_root)


def _keys(client: S3Client, bucket: str, prefix: str, **options: Any) -> Iterator[tuple[SourceFile, str]]:
    """Each object whose key begins with `prefix`, with the rest of its key."""
    for entry in _pages(client, bucket, prefix, **options):
        key = entry["Key"]
        if not key.endswith("/"):
            yield SourceFile(uri_of(bucket, key), entry["Size"], entry["ETag"]), key[len(prefix) :]


def _pages(client: S3Client, bucket: str, prefix: str, **options: Any) -> Iterator[dict[str, Any]]:
    uri = uri_of(bucket, prefix)
    token: dict[str, Any] = {}
    while True:
        page = client.call("list_objects_v2", uri, UsageError, Bucket=bucket, Prefix=prefix, **options, **token)
        yield from page.get("Contents", ())
        if not page.get("IsTruncated"):
            return
        token = {"ContinuationToken": page["NextContinuationToken"]}


def _nothing_matched(uri: str, key: str, suffixes: tuple[str, ...]) -> NothingMatchedError:
    if has_magic(key):
        return NothingMatchedError(f'no object matches "{uri}"', "check the pattern, and quote it for the shell")
    hint = "name an object itself to take it whatever its suffix"
    if key and not key.endswith("/"):
        hint += f'; for all keys that begin so write "{uri}*"'
    return NothingMatchedError(f'no object below "{uri}" ends in {or_list(suffixes)}', hint)
