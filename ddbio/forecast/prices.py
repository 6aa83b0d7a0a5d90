"""Prices: data of the package (prices.json), or of a file of the user's in the same form.

Each price has a region, a rate, a date on which it held, and a source. A price that is not there is unknown, and so
is every cost that needs it: no region's price stands in for another's. Free tiers, taxes and negotiated discounts are
not in them; a user's file may have prices after a discount.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec

from ddbio.errors import UsageError, on_one_line

GB = 1 << 30  # bytes: the gigabyte of AWS's bills
_MOST_USD = 1_000_000  # of one unit: more is a mistake
BUNDLED = "ddbio's own list"

RATES = {
    "million_write_units": "a million write request units on demand",
    "million_read_units": "a million read request units on demand",
    "million_replicated_write_units": "a million replicated write request units on demand",
    "wcu_hour": "a provisioned write capacity unit for an hour",
    "rcu_hour": "a provisioned read capacity unit for an hour",
    "replicated_wcu_hour": "a provisioned replicated write capacity unit for an hour",
    "export_gb": "a GB of table exported to S3 by DynamoDB",
    "import_gb": "a GB of files, uncompressed, imported from S3 by DynamoDB",
    "bulk_put_gb": "a GB written by StartBulkPutItems in its standard tier",
    "backup_gb_month": "a GB of on-demand backup for a month",
    "restore_gb": "a GB of table restored from a backup",
    "pitr_gb_month": "a GB of table with point-in-time recovery for a month",
    "s3_thousand_puts": "a thousand requests of S3 that write or list",
    "s3_thousand_gets": "a thousand requests of S3 that read",
    "s3_gb_month": "a GB of S3 in its standard storage class for a month",
}
_OF_BOTH_CLASSES = [rate for rate in RATES if rate.endswith(("_write_units", "_read_units", "cu_hour"))]
RATES |= {f"ia_{rate}": f"{RATES[rate]}, in the table class Standard-IA" for rate in _OF_BOTH_CLASSES}


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """usd: dollars for one of the rate's unit (`RATES`). date: a day on which it held, None if the source is undated.
    source: who said so."""

    region: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")]
    rate: str
    usd: Annotated[float, msgspec.Meta(ge=0, le=_MOST_USD)]
    date: datetime.date | None
    source: Annotated[str, msgspec.Meta(min_length=1)]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    prices: list[Price]


class Prices:
    """Prices by region and rate. origin: where they are from, for messages."""

    def __init__(self, prices: Iterable[Price], origin: str) -> None:
        """Raises ValueError for a rate that does not exist, or that a region has twice."""
        self.origin = origin
        self._prices: dict[tuple[str, str], Price] = {}
        for price in prices:
            if price.rate not in RATES:
                near = difflib.get_close_matches(price.rate, RATES, n=1)
                raise ValueError(f"there is no rate {price.rate!r}{f', did you mean {near[0]}?' if near else ''}")
            if self._prices.setdefault((price.region, price.rate), price) is not price:
                raise ValueError(f"{price.region} has the rate {price.rate} twice")

    def find(self, region: str, rate: str) -> Price | None:
        """None if it is unknown."""
        return self._prices.get((region, rate))

    def __iter__(self) -> Iterator[Price]:
        return iter(self._prices.values())


def bundled() -> Prices:
    """The package's own."""
    return _decoded((files("ddbio.forecast") / "prices.json").read_bytes(), BUNDLED)


def from_file(path: str) -> Prices:
    """A user's. Raises UsageError if the file cannot be read, or is not of the form of prices.json."""
    try:
        return _decoded(Path(path).read_bytes(), path)
    except OSError as exc:
        raise UsageError(f"--prices {path}: {exc.strerror or exc}", "give a file of prices, or live") from None
    except (msgspec.MsgspecError, ValueError) as exc:  # the first is none of the second in older versions
        raise UsageError(f"--prices {path}: {on_one_line(str(exc))}", "docs/costs.md has its form") from None


def _decoded(data: bytes, origin: str) -> Prices:
    return Prices(msgspec.json.decode(data, type=_File).prices, origin)
