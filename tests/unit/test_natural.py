"""Options as a Python programmer writes them, and the mistakes that are refused by name."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ddbio import AwsSettings, CsvOptions, ExportOptions, ImportOptions, UsageError
from ddbio.natural import importable


def options(**given: Any) -> ImportOptions:
    return ImportOptions(**{"table": "Orders", "sources": ["a.json"], **given})


@pytest.mark.parametrize(
    ("given", "declared"),
    [
        ({"sources": [Path("x/a.json"), "b.json"]}, {"sources": ("x/a.json", "b.json")}),
        ({"sources": iter(["a", "b"])}, {"sources": ("a", "b")}),
        ({"capacity": 500}, {"capacity": "500"}),
        ({"capacity": 0.5}, {"capacity": "0.5"}),
        ({"capacity": "60%"}, {"capacity": "60%"}),
        ({"max_errors": 10}, {"max_errors": "10"}),
        ({"state_dir": Path("/tmp/state")}, {"state_dir": "/tmp/state"}),
        ({"drop": ["a", "b"]}, {"drop": ("a", "b")}),
        ({"csv": {"delimiter": ";", "nulls": ["-"]}}, {"csv": CsvOptions(delimiter=";", nulls=("-",))}),
        ({"csv": {"types": {"n": "N"}}}, {"csv": CsvOptions(types=(("n", "N"),))}),
        ({"transform": importable}, {"transform": "ddbio.natural:importable"}),
    ],
)
def test_natural_types(given: dict[str, Any], declared: dict[str, Any]) -> None:
    made = options(**given)
    assert {name: getattr(made, name) for name in declared} == declared


def test_an_expression_has_its_values_as_a_dict() -> None:
    made = ExportOptions(table="T", destination=Path("out"), attributes=["a", "b"], filter="a > :a", values={"a": 1})
    assert (made.destination, made.attributes, made.values) == ("out", "a,b", '{"a": 1}')


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"drop": "val_1"}, "drop is 'val_1', and several are meant; give a list: drop=['val_1']"),
        ({"sources": "a.json"}, "sources is 'a.json', and several are meant"),
        ({"sources": Path("a.json")}, "sources is .*, and several are meant"),
        ({"sources": []}, "sources is empty"),
        ({"sources": ["a.json", ""]}, "sources is empty; is a shell variable unset"),
        ({"sources": ["a", "b\udcff"]}, "sources is not UTF-8: 'b\\udcff'"),
        ({"report": Path("\udcff")}, "report is not UTF-8: '\\udcff'"),
        ({"report": " "}, "report is empty; is a shell variable unset"),
        ({"sources": [1]}, "sources has 1, which is not a string"),
        ({"processes": "2"}, "processes must be a whole number, not '2'"),
        ({"processes": True}, "processes must be a whole number, not True"),
        ({"fresh": "no"}, "fresh must be True or False, not 'no'"),
        ({"table": 5}, "table must be a string, not 5"),
        ({"csv": {"delimter": ";"}}, "csv has 'delimter', which is no option of CSV"),
        ({"csv": {"columns": "id"}}, "csv columns is 'id', and several are meant"),
        ({"transform": lambda item: item}, "transform is .*<lambda>.*, which worker processes cannot import"),
    ],
)
def test_mistakes_are_refused_by_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message) if "*" not in message else message):
        options(**given)


def test_values_that_are_no_json_are_refused() -> None:
    with pytest.raises(UsageError, match="values cannot be written as JSON"):
        ExportOptions(table="T", destination="out", filter="a > :a", values={"a": Decimal(1)})  # type: ignore[arg-type]


def test_a_function_of_the_main_module_is_refused() -> None:
    def main_function(item: Any) -> Any:
        return item

    main_function.__module__, main_function.__qualname__ = "__main__", "main_function"
    with pytest.raises(UsageError, match="main_function of __main__, which worker processes cannot import"):
        options(transform=main_function)


def test_options_can_be_changed() -> None:
    """`dataclasses.replace` makes them anew from declared values."""
    from dataclasses import replace

    made = options(capacity=500, aws=AwsSettings(region="eu-west-1"))
    assert replace(made, fresh=True) == options(capacity="500", aws=AwsSettings(region="eu-west-1"), fresh=True)
