"""Every command of docs/migrating.md, and of README's `From Python`, does what it says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.endpoints import Endpoint
from tests.support.commands import CHECKOUT, Commands, Completed
from tests.support.items import Item, plain_items, write_items
from tests.support.native_exports import change, write_export

pytestmark = pytest.mark.fuller

PAGE = (CHECKOUT / "docs" / "migrating.md").read_text()
README = (CHECKOUT / "README.md").read_text()
SHAPING = (CHECKOUT / "docs" / "shaping.md").read_text()
BLOCKS = {
    heading: re.findall(r"^```(sh|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for heading, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
COMMANDS = [
    command
    for blocks in BLOCKS.values()
    for language, block in blocks
    if language == "sh"
    for command in re.findall(r"^# was: .+\n(.+)$", block, re.MULTILINE)
]
ROWS = "id,created,customer,amount,status,note\n" + "".join(
    f"k{n},2026-11-{n + 10},c{n % 3},{n},open,\n" for n in range(20)
)
NEW = [f"k{n}" for n in range(20)]  # the keys of those rows
FULL, INCREMENTAL = "01695353076000-06e2188f", "01716790307109-5f9d6aaa"


def python(containing: str, text: str) -> str:
    """The one Python block of a document with these words."""
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (found,) = (str(block) for block in blocks if containing in block)
    return found


def typed(number: int) -> Item:
    """An item of ROWS with its amount as a number."""
    return {"id": {"S": f"k{number}"}, "amount": {"N": str(number)}, "status": {"S": "open"}}


@pytest.fixture
def table(simulator: Simulator, tmp_path: Path) -> Simulator:
    """Tables, and all local files that the page names; each source has the keys of NEW."""
    for name, key in (
        ("Orders", "id:S"),
        ("OrdersByDay", "day:S,id:S"),
        ("Customers", "id:S"),
        ("OrdersCopy", "id:S"),
    ):
        simulator.create_table(name, *key.split(","), wcu=4000, rcu=4000)
    old = [{**item, "amount": {"N": "11"}, "status": {"S": "open"}} for item in plain_items(50)]
    simulator.table("Orders").put_items(old)
    simulator.table("OrdersCopy").put_items(old)
    items = [typed(number) for number in range(20)]
    for name in ("orders.json", "orders.jsonl", "orders/a.json"):
        write_items(tmp_path / name, items)
    (tmp_path / "orders.csv").write_text(ROWS)
    (tmp_path / "pieces").mkdir()
    head, *rows = ROWS.splitlines(keepends=True)
    (tmp_path / "pieces" / "1.csv").write_text(head + "".join(rows[:10]))
    (tmp_path / "pieces" / "2.csv").write_text(head + "".join(rows[10:]))
    (tmp_path / "shape.py").write_text(python("def three", SHAPING))
    (tmp_path / "dump" / "Orders" / "data").mkdir(parents=True)
    page = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
    (tmp_path / "dump" / "Orders" / "data" / "0001.json").write_text(json.dumps(page))
    return simulator


@pytest.fixture
def bucket(s3: Endpoint, tmp_path: Path) -> str:
    """A bucket with everything that the page expects in `my-bucket`; its name."""
    client = s3.client()
    name = f"migrating-{tmp_path.name[-24:].lower().replace('_', '-').strip('-')}"
    client.create_bucket(Bucket=name)
    items = [typed(number) for number in range(20)]
    lines = "".join(f'{{"id":{{"s":"k{n}"}},"amount":{{"n":"{n}"}}}}\n' for n in range(20))
    put: dict[str, str | bytes] = {
        "orders/a.json": (tmp_path / "orders.json").read_text(),
        "csv/a.csv": ROWS,
        "pipeline/2013-10-01-12-00-00/0a1b2c3d-0000-4000-8000-000000000000": lines,
        "pipeline/2013-10-01-12-00-00/manifest": '{"name":"DynamoDB-export","version":3,"entries":[]}',
        "pipeline/2013-10-01-12-00-00/_SUCCESS": "",
    }
    root = tmp_path / "native"
    write_export(root, FULL, [[{"Item": item} for item in items]])
    one = {**plain_items(1)[0], "amount": {"N": "11"}, "status": {"S": "open"}}
    changed = change({"id": one["id"]}, one, {**one, "status": {"S": "new"}})
    write_export(root, INCREMENTAL, [[changed]], incremental=True)
    put |= {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    for key, body in put.items():
        client.put_object(Bucket=name, Key=key, Body=body)
    return name


def run_words(commands: Commands, command: str) -> Completed:
    """A command as a shell would run it in the checkout, with `.venv/bin` in PATH."""
    program, *arguments = shlex.split(command)
    if program == "python":
        return commands.run(Path(arguments[0]), *arguments[1:])
    if program == "ddbio":
        return commands.run(Path("-m"), "ddbio", *arguments)
    assert program.startswith("./")
    return commands.run(CHECKOUT / program, *arguments)


def test_each_section_has_an_old_command_for_each_new_one() -> None:
    assert len(BLOCKS) >= 9
    for heading, blocks in BLOCKS.items():
        assert any("# was: " in block for _, block in blocks), heading
        for language, block in blocks:
            if language == "sh":
                lines = block.splitlines()
                assert [line.startswith("# was: ") for line in lines] == [True, False] * (len(lines) // 2), heading


EXPECTED: dict[str, Callable[[Completed], bool]] = {
    "DDBExport.py": lambda done: done.out.startswith("50 read, 50 exported"),
    "GenerateTestData.py": lambda done: "10,000 items" in done.err,
    "count": lambda done: done.out.startswith("50 items"),
    "copy": lambda done: done.out.startswith("50 read, 50 written"),
    "find": lambda done: done.out.count("\n") == 50,
    "delete": lambda done: done.out.startswith("50 deleted"),
    "update": lambda done: done.out.startswith("50 updated"),
    "revert": lambda done: done.out.startswith("1 restored"),
    "diff": lambda done: done.out.startswith("the same"),
}


def those(*, on_s3: bool) -> pytest.MarkDecorator:
    chosen = [each for each in COMMANDS if ("s3://" in each) is on_s3]
    assert chosen
    return pytest.mark.parametrize("command", chosen)


@those(on_s3=False)
def test_a_new_command_works(commands: Commands, table: Simulator, command: str) -> None:
    assert_works(commands, table, command)


@those(on_s3=True)
def test_a_new_command_works_on_s3(commands: Commands, table: Simulator, bucket: str, command: str) -> None:
    assert_works(commands, table, command.replace("my-bucket", bucket))


def assert_works(commands: Commands, table: Simulator, command: str) -> None:
    """It ends with 0 and has done its work; an import has brought all items of its source, with their types."""
    done = run_words(commands, command)
    assert done.code == 0, done.err + done.out
    for word, holds in EXPECTED.items():
        if {word, f"./{word}"} & {*command.split()[:2]}:
            assert holds(done), done.err + done.out
            return
    found = {item["id"]["S"]: item for item in table.table("Orders").items()}
    assert set(NEW) <= set(found) and len(found) == 70
    of_text = ("csv" in command or "pieces" in command) and "amount:N" not in command and "--infer" not in command
    assert found["k7"]["amount"] == {"S" if of_text else "N": "7"}
    assert found["k7"].get("note") == ({"S": ""} if "ddbio.loaders" in command else None)
    if "three" in command:
        assert len(table.table("OrdersByDay").items()) == 20
        assert len(table.table("Customers").items()) == 3


def run_python(commands: Commands, folder: Path, text: str) -> Completed:
    (folder / "program.py").write_text(text)
    done = commands.run(folder / "program.py")
    assert done.code == 0, done.err
    return done


def test_the_calls_instead_of_awswrangler(commands: Commands, table: Simulator, tmp_path: Path) -> None:
    given = (
        "import pandas\n"
        "frame = pandas.DataFrame({'id': ['f1', 'f2'], 'amount': [1, 2]})\n"
        "items, keys = [{'id': 'i1'}, {'id': 'i2'}], [{'id': 'i1'}]\n"
    )
    text = python("# was: wr.", PAGE)
    assert [line.startswith("# was: ") for line in text.splitlines()[2:]] == [True, False] * (text.count("# was"))
    done = run_python(commands, tmp_path, f"{given}{text}\nprint(len(items))\n")
    assert done.out == "73\n"
    found = {item["id"]["S"]: item for item in table.table("Orders").items()}
    assert {*NEW, "f1", "f2", "i2"} <= set(found) and "i1" not in found
    assert (found["k7"]["amount"], found["f2"]["amount"]) == ({"N": "7"}, {"N": "2"})


def test_the_example_of_readme(commands: Commands, table: Simulator, tmp_path: Path) -> None:
    done = run_python(commands, tmp_path, python("import_table(", README))
    assert done.out == "20 written, 0 rejected\n20 written, 0 failed\n"
    assert len(table.table("Orders").items()) == 70
