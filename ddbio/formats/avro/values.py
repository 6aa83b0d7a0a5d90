"""Converts the values that fastavro decodes to those of the json format, by type.

Each converter is registered with fastavro as the reader of a logical type `ddbio-...`, which
`ddbio.formats.avro.schema` puts in the place of the type in the file's schema. So the branch of a union with which a
value was written decides how it is read.
"""

from __future__ import annotations

import base64
import struct
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from ddbio.errors import RecordError
from ddbio.values.items import check_number

_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_FLOAT32 = struct.Struct("<f")
_DAY_S = 86_400
_MOST_PLACES = 200  # of a decimal that is written out; one with more has an exponent

Schema = Mapping[str, Any]
Convert = Callable[[Any, Schema], Any]  # called with the value that fastavro decoded, and its type


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def number(text: str) -> Any:
    """A number from its text; other text stays text, and is judged with its record."""
    try:
        return raw(check_number(text)) if text[:1] not in "+." and not text.endswith(".") else text
    except RecordError:
        return text


def _double(value: float, _: Schema) -> msgspec.Raw:
    text = repr(value)  # the shortest that is read back as the same
    return raw(_NOT_FINITE.get(text, text))


def _float(value: float, schema: Schema) -> msgspec.Raw:
    for digits in range(6, 9):
        text = f"{value:.{digits}g}"
        if _FLOAT32.unpack(_FLOAT32.pack(float(text)))[0] == value:
            return _double(float(text), schema)
    return _double(float(f"{value:.9g}"), schema)


def _base64(value: bytes, _: Schema) -> str:
    return base64.b64encode(value).decode()


def _binary(value: bytes, schema: Schema) -> dict[str, str]:
    return {"$B": _base64(value, schema)}


def _decimal(value: bytes, schema: Schema) -> msgspec.Raw:
    unscaled, scale = Decimal(int.from_bytes(value, "big", signed=True)), schema["scale"]
    digits = str(unscaled.copy_abs())  # an int of thousands of digits would not be written out
    sign = "-" if unscaled < 0 else ""
    if not 0 <= scale <= _MOST_PLACES:
        return raw(f"{sign}{digits}E{-scale}")
    digits = digits.rjust(scale + 1, "0")
    return raw(f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else f"{sign}{digits}")


def _map(value: dict[str, Any], _: Schema) -> dict[str, Any]:
    return {"$M": value} if len(value) == 1 and next(iter(value)).startswith("$") else value


def _uuid(value: bytes, _: Schema) -> str:
    return str(uuid.UUID(bytes=value))


def _duration(value: bytes, _: Schema) -> str:
    months, days, millis = struct.unpack("<III", value)
    return f"P{months}M{days}DT{millis // 1000}.{millis % 1000:03d}S"


def _number(value: str, _: Schema) -> Any:
    return number(value)


def _json(value: str, _: Schema) -> msgspec.Raw:
    return raw(value)


def _set_of(letter: str) -> Convert:
    return lambda members, _: {f"${letter}": members}


# --------------------------------------------------------------------------- times


def _date(days: int, _: Schema) -> str:
    """Of every day, also those beyond Python's dates. https://howardhinnant.github.io/date_algorithms.html"""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year = year_of_era + era * 400 + (month <= 2)
    return f"{year:04d}-{month:02d}-{day:02d}" if 0 <= year <= 9999 else f"{year:+06d}-{month:02d}-{day:02d}"


def _time(places: int) -> Convert:
    """places: of the unit that is counted, 3 for milliseconds."""

    def read(value: int, _: Schema) -> str:
        seconds, fraction = divmod(value, 10**places)
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:0{places}d}"

    return read


def _timestamp(places: int, zone: str) -> Convert:
    time_of_day = _time(places)

    def read(value: int, schema: Schema) -> str:
        days, rest = divmod(value, _DAY_S * 10**places)
        return f"{_date(days, schema)}T{time_of_day(rest, schema)}{zone}"

    return read


_UNITS = {"millis": 3, "micros": 6, "nanos": 9}

# By type and logical type.
LOGICAL_TYPES: dict[tuple[str, str], Convert] = {
    ("bytes", "decimal"): _decimal,
    ("fixed", "decimal"): _decimal,
    ("fixed", "uuid"): _uuid,
    ("fixed", "duration"): _duration,
    ("int", "date"): _date,
    ("int", "time-millis"): _time(3),
    ("long", "time-micros"): _time(6),
    **{("long", f"timestamp-{unit}"): _timestamp(places, "Z") for unit, places in _UNITS.items()},
    **{("long", f"local-timestamp-{unit}"): _timestamp(places, "") for unit, places in _UNITS.items()},
}
# The converters of the types themselves; the last ones only in our own files.
OWN_TYPES: dict[tuple[str, str], Convert] = {
    ("float", "float"): _float,
    ("double", "double"): _double,
    ("bytes", "binary"): _binary,
    ("fixed", "binary"): _binary,
    ("map", "map"): _map,
    ("record", "map"): _map,
    ("bytes", "base64"): _base64,
    ("string", "number"): _number,
    ("string", "json"): _json,
    **{("array", letter): _set_of(letter) for letter in ("SS", "NS", "BS")},
}
