"""What becomes of an item on its way: by options, by a function, and when the function fails."""

from __future__ import annotations

import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from ddbio.errors import RecordError, UsageError
from ddbio.steps.transform import fingerprint, open_transform, transform_of
from ddbio.values.items import AttributeMap, Deletion
from ddbio.values.python_values import to_python, to_typed
from ddbio.verbs.options import ImportOptions
from tests.support.strategies import ITEMS, same_item

ITEM: AttributeMap = {"id": {"S": "a"}, "n": {"N": "1.50"}, "tags": {"SS": ["x", "y"]}}


def options(**others: Any) -> ImportOptions:
    return ImportOptions(table="Orders", sources=("in",), **others)


def made(item: AttributeMap = ITEM, **others: Any) -> list[AttributeMap]:
    transform = open_transform(transform_of(options(**others)))
    assert transform is not None
    return transform(item)


def function(folder: Path, body: str, name: str = "shape") -> str:
    path = folder / f"{name}.py"
    path.write_text(f"from decimal import Decimal\n\ndef {name}(item):\n    {body}\n")
    return f"{path}:{name}"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import sys; sys.exit(0)", "cannot be loaded: SystemExit: 0 (line 1)"),
        ("raise SystemExit", "cannot be loaded: SystemExit (line 1)"),
        ("import os; os._exit(0)", "cannot be loaded: it ends the process (exit code 0)"),
        ("import os; os.abort()", "cannot be loaded: it ends the process (signal 6)"),
        ("raise KeyboardInterrupt", "cannot be loaded: KeyboardInterrupt (line 1)"),
        ("raise GeneratorExit", "cannot be loaded: GeneratorExit"),
        ("import asyncio; raise asyncio.CancelledError", "cannot be loaded: CancelledError"),
        ("def again():\n    again()\nagain()", "cannot be loaded: RecursionError"),
        ("import no_such_module", "cannot be loaded: ModuleNotFoundError"),
        ("def (:", "cannot be loaded: SyntaxError"),
        ("class Odd(Exception):\n    def __str__(self):\n        1 / 0\nraise Odd", "cannot be loaded: Odd (line 4)"),
        ("def __getattr__(name):\n    raise SystemExit(name)", "cannot be loaded: SystemExit: "),
        ("import sys; print('noise'); sys.stderr.write('noise')", "has no function 'f'"),
        ("f = 1", "has no function 'f'"),
    ],
)
def test_whatever_a_module_does_as_it_loads(tmp_path: Path, body: str, says: str) -> None:
    path = tmp_path / "odd.py"
    path.write_text(f"{body}\n")
    with pytest.raises(UsageError) as refused:
        transform_of(options(transform=f"{path}:f"))
    assert says in str(refused.value) and str(path) in str(refused.value) and "\n" not in str(refused.value)


def test_a_module_that_behaves_only_where_it_is_tried(tmp_path: Path) -> None:
    path = tmp_path / "sly.py"
    path.write_text("import sys\nif 'pytest' in sys.modules: sys.exit(0)\ndef f(item): return item\n")
    with pytest.raises(UsageError, match=r"--transform f: .*sly.py cannot be loaded: SystemExit: 0 \(line 2\)"):
        transform_of(options(transform=f"{path}:f"))


@pytest.mark.parametrize(
    "body",
    [
        "import sys; sys.exit(0)",
        "raise GeneratorExit",
        "import asyncio; raise asyncio.CancelledError",
        "raise OSError",
    ],
)
def test_an_item_that_the_function_ends_the_program_for_is_rejected(tmp_path: Path, body: str) -> None:
    with pytest.raises(RecordError) as rejected:
        made(transform=function(tmp_path, body))
    assert rejected.value.code == "transform-failed" and "(line 4 of shape.py)" in rejected.value.message


def test_an_interrupt_is_the_users_where_it_can_be(tmp_path: Path) -> None:
    """Workers ignore SIGINT: what is raised there is the function's own."""
    with pytest.raises(KeyboardInterrupt):
        made(transform=function(tmp_path, "raise KeyboardInterrupt"))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(RecordError, match="KeyboardInterrupt"):
            made(transform=function(tmp_path, "raise KeyboardInterrupt", "other"))
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_value_that_fails_as_it_is_looked_at_rejects_the_item(tmp_path: Path) -> None:
    body = "class Odd(dict):\n        def items(self): raise LookupError('odd')\n    return Odd(item)"
    with pytest.raises(RecordError, match="LookupError: odd"):
        made(transform=function(tmp_path, body))


def test_nothing_asked_for_is_no_transform() -> None:
    assert transform_of(options()) is None
    assert open_transform(None) is None
    assert fingerprint(options()) is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"rename": ("n=price",)}, {"id": {"S": "a"}, "price": {"N": "1.50"}, "tags": ITEM["tags"]}),
        ({"rename": ("n=id", "id=n")}, {"id": {"N": "1.50"}, "n": {"S": "a"}, "tags": ITEM["tags"]}),
        ({"rename": ("n=tags",)}, {"id": {"S": "a"}, "tags": {"N": "1.50"}}),  # what is renamed wins
        ({"drop": ("n, tags",)}, {"id": {"S": "a"}}),
        ({"drop": ("n", "tags", "nothing")}, {"id": {"S": "a"}}),
        ({"drop": ("n", "tags"), "assign": ("v=5",)}, {"id": {"S": "a"}, "v": {"N": "5"}}),
        ({"drop": ("n", "tags"), "assign": ("v=0.10",)}, {"id": {"S": "a"}, "v": {"N": "0.10"}}),
        ({"drop": ("n", "tags"), "assign": ('v="5"',)}, {"id": {"S": "a"}, "v": {"S": "5"}}),
        ({"drop": ("n", "tags"), "assign": ("v=a=b c",)}, {"id": {"S": "a"}, "v": {"S": "a=b c"}}),
        ({"drop": ("n", "tags"), "assign": ("v=",)}, {"id": {"S": "a"}, "v": {"S": ""}}),
        ({"drop": ("n", "tags"), "assign": ('v={"$SS": ["p"]}',)}, {"id": {"S": "a"}, "v": {"SS": ["p"]}}),
        ({"rename": ("n=m",), "drop": ("tags",), "assign": ("id=b",)}, {"id": {"S": "b"}, "m": {"N": "1.50"}}),
    ],
)
def test_simple_changes(asked: dict[str, Any], expected: AttributeMap) -> None:
    assert made(**asked) == [expected]
    assert ITEM == {"id": {"S": "a"}, "n": {"N": "1.50"}, "tags": {"SS": ["x", "y"]}}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"rename": ("n",)}, "--rename 'n' is not OLD=NEW; write it like --rename old=new"),
        ({"rename": ("n=",)}, "--rename 'n=' is not"),
        ({"assign": ("=5",)}, "--set '=5' is not NAME=VALUE; write it like --set imported=true"),
        ({"assign": ("v=1e999",)}, "--set: 1e999"),
        ({"transform": "shape.py"}, "names no function"),
        ({"transform": "/nonexistent/shape.py:f"}, "there is no file"),
        ({"transform": "no_such_module:f"}, "cannot be loaded: ModuleNotFoundError"),
        ({"transform": "json:no_such_function"}, "json has no function 'no_such_function'"),
        ({"transform": "math:pi"}, "math has no function 'pi'"),
    ],
)
def test_what_cannot_be_a_transform(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        transform_of(options(**asked))
    assert says in str(refused.value)


def test_a_file_that_cannot_be_loaded_says_where(tmp_path: Path) -> None:
    (tmp_path / "slip.py").write_text("def f(item):\n    return item +\n")
    with pytest.raises(UsageError, match=r"slip.py cannot be loaded: SyntaxError: .*line 2"):
        transform_of(options(transform=f"{tmp_path}/slip.py:f"))
    (tmp_path / "fails.py").write_text("\n\n1 / 0\n")
    with pytest.raises(UsageError, match=r"ZeroDivisionError: division by zero \(line 3\)"):
        transform_of(options(transform=f"{tmp_path}/fails.py:f"))


def test_a_function_gets_python_values(tmp_path: Path) -> None:
    body = "assert item == {'id': 'a', 'n': Decimal('1.50'), 'tags': {'x', 'y'}}; return {**item, 'n': item['n'] * 2}"
    assert made(transform=function(tmp_path, body, "double"))[0]["n"] == {"N": "3.00"}


@pytest.mark.parametrize(
    ("body", "count"),
    [("return item", 1), ("return None", 0), ("return []", 0), ("return [item, {'id': 'b'}, item]", 3), ("pass", 0)],
)
def test_a_function_makes_any_number_of_items(tmp_path: Path, body: str, count: int) -> None:
    assert len(made(transform=function(tmp_path, body, f"many{abs(hash(body))}"))) == count


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("return 1 / 0", "transform-failed", "ZeroDivisionError: division by zero (line 4 of failing0.py)"),
        ("return item['x']", "transform-failed", "KeyError: 'x' (line 4 of failing1.py)"),
        ("return Decimal('x')", "transform-failed", "(line 4 of failing2.py)"),
        ("return 'text'", "transform-failed", "returned a str, not an item"),
        ("return [item, 5]", "transform-failed", "returned a int, not an item"),
        ("return {'id': object()}", "bad-type", "type object cannot be stored"),
        ("return {'id': set()}", "empty-set", "at least one member"),
        ("return {'id': {1, 'a'}}", "bad-type", "all strings, all numbers or all bytes"),
        ("return {'id': float('nan')}", "not-finite", "nan"),
        ("return {'id': float('-inf')}", "not-finite", "-inf"),
        ("return {'id': 'a', '': 1}", "empty-name", "empty name"),
        ("return {'id': 'a', 'm': {'': 1}}", "empty-name", "empty name"),
        ("return {1: 'a'}", "bad-type", "names of attributes must be strings"),
    ],
)
def test_what_a_function_does_wrong_is_the_matter_of_the_record(
    tmp_path: Path, request: pytest.FixtureRequest, body: str, code: str, says: str
) -> None:
    number = request.node.callspec.indices["body"]
    with pytest.raises(RecordError) as failed:
        made(transform=function(tmp_path, body, f"failing{number}"))
    assert (failed.value.code, says in failed.value.message) == (code, True), failed.value.message


def test_the_key_of_a_delete_is_renamed_and_no_more(tmp_path: Path) -> None:
    never = function(tmp_path, "raise AssertionError", "never")
    (key,) = made(Deletion({"n": {"N": "1"}}), rename=("n=m",), drop=("n",), assign=("v=1",), transform=never)
    assert (key, type(key)) == ({"m": {"N": "1"}}, Deletion)


def test_a_changed_file_is_another_transform(tmp_path: Path) -> None:
    asked = options(transform=function(tmp_path, "return item"))
    before = fingerprint(asked)
    function(tmp_path, "return None")
    assert before is not None and before != fingerprint(asked)


@given(ITEMS)
def test_every_item_survives_as_python_values(item: AttributeMap) -> None:
    assert same_item({name: to_typed(to_python(value)) for name, value in item.items()}) == same_item(item)


def test_values_that_people_return() -> None:
    assert to_typed(1.5) == {"N": "1.5"}
    assert to_typed((True, None, b"\x00")) == {"L": [{"BOOL": True}, {"NULL": True}, {"B": "AA=="}]}
    assert to_typed({1, 2.5, Decimal("1E+2")})["NS"]
    assert to_typed({"$B": "x"}) == {"M": {"$B": {"S": "x"}}}  # a name, no tag
    assert to_typed(frozenset({b"a"})) == {"BS": ["YQ=="]}
