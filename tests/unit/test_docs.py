"""Documents go wrong silently: what README, the architecture and the changelog claim is compared with the code."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore import xform_name

import ddbio
from checks.docs import PAGES, cli_page
from checks.man import man_page
from ddbio.cli import iam_policy
from ddbio.cli.main import VERBS
from ddbio.errors import EXIT_FAILED, EXIT_INTERNAL, EXIT_OK, EXIT_REJECTED, EXIT_STOPPED, EXIT_USAGE
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES
from ddbio.flow.import_job import DEFAULT_IMPORT_LANES
from ddbio.formats import FORMATS, get_format
from ddbio.formats.rejected import Rejected, read_rejected
from ddbio.system.terminal import EXIT_BROKEN_PIPE
from ddbio.verbs.iam_policy import Scope, policy_of

CHECKOUT = Path(__file__).parents[2]
PACKAGE = CHECKOUT / "ddbio"
DOCUMENTS = [
    "README.md",
    "CHANGELOG.md",
    "TODO.md",
    "docs/architecture.md",
    "docs/rejects.md",
    "docs/performance.md",
    "docs/security.md",
    "docs/development.md",
    "docs/tried.md",
]
ALL_DOCUMENTS = sorted(
    str(path.relative_to(CHECKOUT)) for folder in (CHECKOUT, CHECKOUT / "docs") for path in folder.glob("*.md")
)


def text_of(document: str) -> str:
    return (CHECKOUT / document).read_text()


def code_block(document: str, language: str, containing: str) -> str:
    """The one fenced block of this language with these words in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text_of(document), re.MULTILINE | re.DOTALL)
    (found,) = (block for block in blocks if containing in block)
    return str(found)


# --------------------------------------------------------------------------- links and names


@pytest.mark.parametrize("document", ALL_DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        linked = (CHECKOUT / document).parent / path if path else CHECKOUT / document
        assert linked.exists(), target
        if heading:
            assert heading in anchors(linked.read_text()), target


def anchors(text: str) -> set[str]:
    """What a heading is called in a link to it, by the usual rule."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


MODULE = re.compile(r"(?<![\w/.*-])((?:\w+/)*\w[\w-]*\.(?:py|md|toml|txt)|(?:\w+/)+)(?![\w.])")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document: str) -> None:
    """In code quotes and in drawings, relative to the checkout or to the package."""
    quoted = re.findall(r"`([^`\n]+)`", text_of(document)) + re.findall(
        r"^```\n(.*?)^```", text_of(document), re.M | re.S
    )
    missing = {
        name
        for quote in quoted
        for name in MODULE.findall(without_examples(quote))
        if not any((folder / name).exists() for folder in (CHECKOUT, PACKAGE, PACKAGE / "dynamodb", PACKAGE / "cli"))
    }
    assert missing == set()


def without_examples(quote: str) -> str:
    """A command's arguments and the uris are the user's, not ours."""
    return re.sub(r"(?<= )-\w+ \S+|\S*://\S*", "", quote)


def test_modules_that_are_run_exist() -> None:
    named = {name for document in DOCUMENTS for name in re.findall(r"python -m (ddbio[\w.]*)", text_of(document))}
    assert named >= {"ddbio.simulator", "ddbio.demo"}
    for name in named:
        path = CHECKOUT / name.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name


def test_modules_of_the_data_flow_are_named_without_their_suffix_and_exist() -> None:
    quoted = re.findall(r"^(?:Import|Export): (.*?)\n\n", text_of("docs/architecture.md"), re.M | re.S)
    assert len(quoted) == 2
    for name in {name for each in quoted for name in re.findall(r"`([\w/]+)`", each)}:
        assert (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists(), name


def test_names_that_the_architecture_gives_are_in_their_files() -> None:
    """`X` in `file.py`, also where several names or several files are given."""
    rows = re.findall(r"^\| .+ \| (.+) \|$", text_of("docs/architecture.md"), re.MULTILINE)
    named = [
        (name, file)
        for row in rows
        for names, files in re.findall(r"((?:`\w+`(?:, )?)+) in ((?:`[\w/]+\.py`(?:, | and )?)+)", row)
        for name in re.findall(r"`(\w+)`", names)
        for file in re.findall(r"`([\w/]+\.py)`", files)
    ]
    assert len(named) >= 8
    for name, file in named:
        (path,) = (each for each in (PACKAGE / file, CHECKOUT / file) if each.exists())
        assert re.search(rf"^(?:class |def )?{name}\b", path.read_text(), re.MULTILINE), (name, file)


def test_a_line_of_the_architecture_is_given_once() -> None:
    section = text_of("docs/architecture.md").partition("## Where do I change")[2].partition("\n## ")[0]
    subjects = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)
    assert len(subjects) == len(set(subjects))


def test_the_lanes_of_the_drawing_are_the_default() -> None:
    drawing = text_of("docs/architecture.md")
    lanes, connections, workers = DEFAULT_IMPORT_LANES, 4 * DEFAULT_IMPORT_LANES, 4
    assert f"{lanes} lanes: {lanes} connections" in drawing
    assert f"{connections} connections, {workers} pipes" in drawing
    assert DEFAULT_EXPORT_LANES < DEFAULT_IMPORT_LANES


# --------------------------------------------------------------------------- README


def test_exit_codes_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", text_of("README.md"), re.MULTILINE)
    codes = [EXIT_OK, EXIT_REJECTED, EXIT_USAGE, EXIT_FAILED, EXIT_INTERNAL, EXIT_STOPPED, EXIT_BROKEN_PIPE]
    assert [int(code) for code, _ in rows] == codes
    constants = re.findall(r"^EXIT_\w+ = (\d+)$", (PACKAGE / "errors.py").read_text(), re.MULTILINE)
    assert {int(code) for code in constants} | {EXIT_BROKEN_PIPE} == set(codes)
    words = dict(rows)
    assert "rejected" in words["1"] and "nothing was moved" in words["2"] and "SIGTERM" in words["130"]


def test_the_format_example_is_an_item_and_survives() -> None:
    line = code_block("README.md", "json", '"$SS"').strip().encode()
    assert b"\n" not in line
    format = get_format("json")
    item = format.parse(line)
    assert item == {
        "id": {"S": "a-1"},
        "price": {"N": "12.50"},
        "tags": {"SS": ["new", "red"]},
        "photo": {"B": "iVBORw0KGgo="},
        "ratings": {"NS": ["4", "4.5"]},
    }
    assert format.parse(rendered(item).rstrip(b"\n")) == item


def rendered(item: dict[str, Any]) -> bytes:
    """The item as an export to `json` writes it."""
    format = get_format("json")
    page = msgspec.json.encode([item])
    return format.render(msgspec.json.decode(page, type=format.page_items))


def test_the_examples_of_the_other_forms_are_items() -> None:
    assert get_format("dynamodb-json").parse(b'{"Item": {"id": {"S": "a-1"}}}') == {"id": {"S": "a-1"}}
    assert '`dynamodb-json`, `{"Item": {"id": {"S": "a-1"}}}` a line' in text_of("README.md")
    assert get_format("dynamodb-json").parse(b'{"id": {"S": "a-1"}}') == {"id": {"S": "a-1"}}
    wrapped = get_format("json").parse(b'{"a": {"$M": {"$B": 1}}, "b": {"$BS": ["AA=="]}}')
    assert wrapped == {"a": {"M": {"$B": {"N": "1"}}}, "b": {"BS": ["AA=="]}}


def test_readme_names_every_format() -> None:
    section = text_of("README.md").partition("## Data format")[2].partition("\n## ")[0]
    assert {*FORMATS} <= set(re.findall(r"`([\w-]+)`", section))


def test_the_page_of_options_is_made_from_the_parsers() -> None:
    assert text_of("docs/cli.md") == cli_page(), "run: python -m checks.docs"


def test_the_man_page_is_made_from_the_parsers() -> None:
    assert text_of("docs/ddbio.1") == man_page(), "run: python -m checks.docs"


def test_the_man_page_renders_without_warnings() -> None:
    """And shows what the parsers say, with its quotes, backslashes and hyphens."""
    if shutil.which("man") is None or shutil.which("groff") is None:
        pytest.skip("no man on this machine")
    command = ["man", "--warnings", "-E", "UTF-8", "-l", str(CHECKOUT / "docs" / "ddbio.1")]
    shown = subprocess.run(command, env={**os.environ, "MANWIDTH": "100"}, capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    text = re.sub(r".\x08", "", shown.stdout)
    for words in (
        "ddbio import -r us-east-1 -t Orders -s 'part-*.json' --endpoint-url http://127.0.0.1:8000",
        "the escape character: '\\'",
        'the values of --filter: {"p": 10, "s": "x"}',
    ):
        assert words in text
    for verb in VERBS:
        assert f"\nddbio {verb}\n" in text, verb


def test_the_options_that_have_a_page_exist() -> None:
    options = set(re.findall(r"`(--[\w-]+)[ `]", text_of("docs/cli.md")))
    assert {*PAGES} <= options


def test_the_policy_of_readme_is_what_the_command_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (command,) = code_block("README.md", "sh", "ddbio iam-policy").splitlines()
    monkeypatch.setattr("sys.argv", ["ddbio iam-policy", *command.split()[2:]])
    assert iam_policy.main() == 0
    assert capsys.readouterr().out == code_block("README.md", "json", "Statement")


def test_the_policies_allow_what_the_code_calls_and_nothing_else() -> None:
    """Of S3, whatever the job: an operation that is called and in no policy would be refused in a real account."""
    words = {
        "import": ["-t", "Orders", "-s", "s3://a/b", "--rejects", "s3://a/c"],
        "export": ["-t", "Orders", "-d", "s3://a/b"],
    }
    allowed = {
        action
        for verb, options in words.items()
        for statement in policy_of(VERBS[verb].command.options_of(options), Scope())["Statement"]
        for action in statement["Action"]
        if action.startswith("s3:")
    }
    assert allowed == {f"s3:{PERMISSIONS.get(name, name)}" for name in s3_operations_called()}


# Operations of S3 whose permission is called otherwise.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
PERMISSIONS = {
    "ListObjectsV2": "ListBucket",
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
    "ListMultipartUploads": "ListBucketMultipartUploads",
}


def operations(service: str) -> set[str]:
    return set(botocore.session.get_session().get_service_model(service).operation_names)


def s3_operations_called() -> set[str]:
    """The operations whose names, as botocore's methods have them, stand in quotes in `ddbio/storage`."""
    by_method = {xform_name(name): name for name in operations("s3")}
    source = "".join(path.read_text() for path in (PACKAGE / "storage").glob("*.py"))
    return {by_method[word] for word in re.findall(r'"([a-z0-9_]+)"', source) if word in by_method}


# --------------------------------------------------------------------------- rejects


def test_the_codes_of_rejects_are_those_of_the_code() -> None:
    table = text_of("docs/rejects.md").partition("## Codes")[2]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| .+ \|$", table, re.MULTILINE)
    calls = [
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "RecordError"
    ]
    codes = {code.value for call in calls for code in call.args[:1] if isinstance(code, ast.Constant)}
    assert len(rows) == len(set(rows))
    assert set(rows) == codes


def test_the_example_of_a_reject_is_one() -> None:
    example = read_rejected(code_block("docs/rejects.md", "json", "missing-key").strip().encode())
    assert example is not None
    table = text_of("docs/rejects.md").partition("## The file")[2].partition("## After repair")[0]
    firsts = "".join(re.findall(r"^\| (`.+?) \|", table, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", firsts)) == set(Rejected.__struct_fields__)


# --------------------------------------------------------------------------- versions


def test_the_changelog_begins_with_this_version() -> None:
    first = re.search(r"^## (\S+)", text_of("CHANGELOG.md"), re.MULTILINE)
    assert first is not None
    assert first.group(1) == ddbio.__version__


def test_what_changed_names_commands_that_exist() -> None:
    for script in set(re.findall(r"`(\w+\.py)`", text_of("CHANGELOG.md"))):
        assert (CHECKOUT / script).exists()


# --------------------------------------------------------------------------- verbs


def test_the_verbs_and_options_that_replace_those_of_bulk_executor_exist() -> None:
    section = text_of("docs/verbs.md").partition("## From Bulk Executor")[2].partition("\n## ")[0]
    typed = [re.split(r" (?<!\\)\| ", row)[1] for row in re.findall(r"^\| (.+) \|$", section, re.MULTILINE)[2:]]
    parsers = {name: verb.parser() for name, verb in VERBS.items()}
    known = {
        name: {option for action in parser._actions for option in action.option_strings}
        for name, parser in parsers.items()
        if parser is not None
    }
    for command in re.findall(r"`ddbio ([^`]+)`", "\n".join(typed)):
        verb, *words = command.split()
        assert verb in VERBS
        options = {word for word in words if word.startswith("-") and word != "-"}
        assert options <= known.get(verb, set()), command
    assert {*VERBS} - {
        "export",
        "inspect",
        "sync",
        "verify",
        "jobs",
        "report",
        "doctor",
        "config",
        "completion",
        "worker",
    } <= {command.split()[0] for command in re.findall(r"`ddbio ([^`]+)`", section)}


# --------------------------------------------------------------------------- helpers of the tests


def test_the_map_of_the_helpers_has_a_line_for_each() -> None:
    folder = CHECKOUT / "tests" / "support"
    listed = re.findall(r"^(\w+) {2,}\S", (folder / "__init__.py").read_text(), re.MULTILINE)
    assert listed == sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
