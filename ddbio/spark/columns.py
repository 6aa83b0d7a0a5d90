"""The columns of a DataFrame: their types in Spark and in Arrow, and the types of DynamoDB that neither has.

Found columns are those of `ddbio.library.arrow_types`: long, decimal(38,s) or string for numbers, arrays for sets,
and JSON text for lists, maps and attributes of several types. The metadata of a column, `{"dynamodb": "json"}` or
`{"dynamodb": "set"}`, says which text is JSON and which array was a set. It stays with a column that is selected, so
that a DataFrame that was read has the same types when it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddbio.errors import RecordError, UsageError
from ddbio.formats.json_lines import decode_value
from ddbio.values.items import to_attributes
from ddbio.values.python_values import to_python

FOUND, STRING = "found", "string"
NUMBERS = (FOUND, STRING)
_MARK, JSON, SET = "dynamodb", "json", "set"
_OF_ARROW = {b"content": b"json"}  # the metadata by which `ddbio.library.arrow_types` knows a column of JSON text
_LETTERS = {
    "StringType": "S",
    "BooleanType": "BOOL",
    **dict.fromkeys(("ByteType", "ShortType", "IntegerType", "LongType", "DecimalType"), "N"),
}


def found_type(schema: Any, numbers: str) -> Any:
    """The StructType of the pyarrow.Schema of found columns. numbers: of `NUMBERS`; `string` keeps their digits as
    text. Raises UsageError."""
    from pyspark.sql.pandas.types import from_arrow_type
    from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType

    if numbers not in NUMBERS:
        raise UsageError(f"numbers is {numbers!r}", f"give one of {', '.join(NUMBERS)}")

    def plain(kind: Any) -> Any:
        is_number = isinstance(kind, LongType) or type(kind).__name__ == "DecimalType"
        return StringType() if numbers == STRING and is_number else kind

    fields = []
    for each in schema:
        kind, mark = from_arrow_type(each.type), {}
        if isinstance(kind, ArrayType):
            kind, mark = ArrayType(plain(kind.elementType)), {_MARK: SET}
        elif each.metadata and each.metadata.get(b"content") == b"json":
            mark = {_MARK: JSON}
        fields.append(StructField(each.name, plain(kind), True, mark))
    return StructType(fields)


def arrow_schema(schema: Any) -> Any:
    """The pyarrow.Schema in which Spark takes batches of this StructType. Raises UsageError."""
    import pyarrow
    from pyspark.sql.pandas.types import to_arrow_type

    names = schema.fieldNames()
    if not names or len(set(names)) < len(names):
        raise UsageError("schema has no columns, or two of one name", "name each attribute to read once")
    return pyarrow.schema(
        [
            pyarrow.field(
                each.name,
                to_arrow_type(each.dataType),
                each.nullable,
                _OF_ARROW if each.metadata.get(_MARK) == JSON else None,
            )
            for each in schema.fields
        ]
    )


def letters(schema: Any) -> dict[str, str]:
    """By column, the type of DynamoDB whose values compare as the column's do; else the column's own type."""
    return {
        each.name: JSON
        if each.metadata.get(_MARK) == JSON
        else _LETTERS.get(name := type(each.dataType).__name__, name)
        for each in schema.fields
    }


def marked(schema: Any) -> dict[str, str]:
    """The columns that metadata marks as `JSON` or as a `SET`."""
    found = {each.name: each.metadata.get(_MARK) for each in schema.fields}
    return {name: mark for name, mark in found.items() if mark in (JSON, SET)}


class NotJson:
    """In the place of a text that is no JSON, which no item can have: it is rejected."""


class NotASet:
    """In the place of an array whose members cannot be those of a set; the same."""


def item_of(row: Mapping[str, Any], marks: Mapping[str, str]) -> dict[str, Any]:
    """The item of a row without missing values. An empty set is no attribute: DynamoDB has none."""
    item = dict(row)
    for name in marks.keys() & item.keys():
        value = item[name]
        if marks[name] == JSON:
            item[name] = _of_json(value)
        elif value:
            item[name] = _as_set(value)
        else:
            del item[name]
    return item


def _of_json(text: Any) -> Any:
    try:
        return to_python(to_attributes({"value": decode_value(text.encode())})["value"])
    except (AttributeError, RecordError):
        return NotJson()


def _as_set(values: Any) -> Any:
    try:
        return set(values)
    except TypeError:
        return NotASet()
