"""Finds what would keep a command from working on this machine, for `ddbio doctor`. Changes nothing.

Requests: three without keys to the endpoint, GetCallerIdentity, and with a command those of its permissions that can
be tried without a change. A Scan reads one item.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import msgspec

from ddbio import native
from ddbio.aws.core import new_session
from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.endpoints import is_local, proxy_of
from ddbio.dynamodb.session import Session
from ddbio.errors import DdbioError, on_one_line

FINE, FIX, UNKNOWN = "ok", "fix", "unknown"
_NEEDED = ("botocore", "httptools", "msgspec", "orjson")
_SPEEDUPS = {"uvloop": "a third less CPU per request", "isal": "gzip ten times as fast"}
_LEAST_FILES = 1024
_LEAST_FREE_BYTES = 100_000_000
_SKEW_S, _MOST_SKEW_S = 60.0, 300.0  # the service refuses signatures of another time by more than five minutes
_TIMEOUT_S = 5.0
_ENDPOINTS = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL")
_PROBES = 3


class Finding(msgspec.Struct):
    """state: one of this module's words. hint: what to do, unless it is fine."""

    name: str
    state: str
    text: str
    hint: str = ""


def machine(state_root: Path) -> Iterator[Finding]:
    """Findings on this machine, without any request."""
    yield Finding("python", FINE, f"{platform.python_version()}, {sys.executable}")
    yield Finding("packages", FINE, ", ".join(f"{name} {_version(name)}" for name in _NEEDED))
    for name, use in _SPEEDUPS.items():
        version = _version(name)
        missing = Finding(name, FIX, "not installed", f"pip install {name}: {use}")
        yield Finding(name, FINE, f"{version}, in use") if version else missing
    core = native.state()
    hint = "" if core == native.IN_USE else "imports and exports take more CPU: docs/performance.md, The native core"
    yield Finding("native core", FINE, core, hint)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = 0 <= hard < _LEAST_FILES
    hint = f"allow {_LEAST_FILES} or more: ulimit -Hn, or LimitNOFILE of the service" if few else ""
    yield Finding("open files", FIX if few else FINE, f"{soft}, may be raised to {hard}", hint)
    yield _disk("state folder", state_root, "--state-dir")
    yield _disk("temporary files", Path(tempfile.gettempdir()), "TMPDIR")


def _version(name: str) -> str:
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name)
    return ""


def _disk(name: str, place: Path, option: str) -> Finding:
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 1e9:,.1f} GB free in {place}"
    if not os.access(existing, os.W_OK):
        return Finding(
            name, FIX, f"{existing} cannot be written", f"fix its permissions, or choose another: {option}"
        )
    if free < _LEAST_FREE_BYTES:
        return Finding(name, FIX, text, f"free some space, or choose another folder: {option}")
    return Finding(name, FINE, text)


def service(settings: AwsSettings, tables: list[str]) -> tuple[list[Finding], Session | None]:
    """Findings on region, endpoint, clock and keys; the session, if there can be one."""
    try:
        session = Session(settings, tables)
    except DdbioError as error:
        found = [*(() if "region" in error.message else _no_region(settings)), _bad("AWS settings", error)]
        chosen = settings.endpoint_url or next(filter(None, map(os.environ.get, _ENDPOINTS)), None)
        return [*found, *(_endpoint(chosen) if chosen else ())], None
    found = [Finding("region", FINE, session.region), *_endpoint(session.endpoint_url)]
    return [*found, *_keys(session, settings)], session


def _no_region(settings: AwsSettings) -> Iterator[Finding]:
    """Keys are looked for first, so that a session without both names only these."""
    from botocore.exceptions import BotoCoreError

    with suppress(BotoCoreError):  # of the profile, which is a finding already
        if not (
            settings.region
            or os.environ.get("AWS_REGION")
            or new_session(settings.profile).get_config_variable("region")
        ):
            hint = "add --region, or set AWS_REGION or one in the profile"
            yield Finding("region", FIX, "no AWS region is set", hint)


def _bad(name: str, error: DdbioError) -> Finding:
    return Finding(name, FIX, error.message, error.hint)


def _endpoint(url: str) -> Iterator[Finding]:
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import BotoCoreError
    from botocore.httpsession import URLLib3Session

    times_s, date = [], ""
    try:
        proxy = proxy_of(url)
        proxies = {"http": proxy, "https": proxy} if proxy else {}
        http = URLLib3Session(os.environ.get("AWS_CA_BUNDLE") or True, proxies, _TIMEOUT_S)
        for _ in range(_PROBES):
            began_s = time.monotonic()
            answer = http.send(AWSRequest("GET", url).prepare())
            times_s.append(time.monotonic() - began_s)
            date = str(answer.headers.get("Date", ""))
    except (BotoCoreError, DdbioError, ValueError) as error:
        yield Finding("endpoint", FIX, f"{url}: {error}", "check --region, --endpoint-url, the network and the proxy")
        return
    yield Finding(
        "endpoint", FINE, f"{url} answers in {1000 * min(times_s):.1f} ms, first in {1000 * times_s[0]:.0f}"
    )
    yield clock(date, datetime.now(timezone.utc))


def clock(date: str, now: datetime) -> Finding:
    """date: of an answer's header; empty if it has none."""
    try:
        skew_s = (now - parsedate_to_datetime(date)).total_seconds()
    except (TypeError, ValueError):
        return Finding("clock", UNKNOWN, "the endpoint sends no time", "")
    text = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'after'} the endpoint's"
    if abs(skew_s) < _SKEW_S:
        return Finding("clock", FINE, text)
    refused = "; requests are refused" if abs(skew_s) >= _MOST_SKEW_S else ""
    return Finding("clock", FIX, text + refused, "set the clock of this machine, for example by NTP")


def _keys(session: Session, settings: AwsSettings) -> Iterator[Finding]:

    if is_local(session.endpoint_url):
        yield Finding("keys", FINE, "any, as the endpoint is on this machine")
        return
    try:
        keys = session.keys()
        yield Finding("keys", FINE, _expiry(keys.ends))
        yield Finding("identity", FINE, _identity(settings, session.region))
    except DdbioError as error:
        yield _bad("keys", error)
    except Exception as error:  # of botocore, of many kinds
        yield Finding(
            "identity",
            UNKNOWN,
            on_one_line(f"sts:GetCallerIdentity: {error}"),
            "check the keys, and the way to STS",
        )


def _expiry(ends: datetime | None) -> str:
    return "there" if ends is None else f"until {ends.astimezone().isoformat(timespec='seconds')}"


def _identity(settings: AwsSettings, region: str) -> str:
    from botocore.config import Config

    config = Config(connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S, retries={"total_max_attempts": 1})
    return str(new_session(settings.profile, region).create_client("sts", config=config).get_caller_identity()["Arn"])


def permissions(session: Session, policy: dict[str, Any], tables: list[str]) -> Iterator[Finding]:
    """Try what can be tried of a command's policy. tables: by name or ARN."""
    needed = {action for statement in policy["Statement"] for action in statement["Action"]}
    tried = {
        "dynamodb:DescribeTable": lambda table: session.describe(table),
        "dynamodb:Scan": lambda table: session.try_scan(table, {}),
    }
    for action in sorted(needed & {*tried}):
        for table in tables:
            yield _tried(action, table, tried[action])
    if rest := sorted(needed - {*tried}):
        hint = "ddbio iam-policy prints the policy; compare it with the role's"
        yield Finding("permissions", UNKNOWN, f"cannot be tried without a change: {', '.join(rest)}", hint)


def _tried(action: str, table: str, attempt: Callable[[str], object]) -> Finding:
    try:
        attempt(table)
    except DdbioError as error:
        return _bad(action, error)
    return Finding(action, FINE, f"allowed on {table}")
