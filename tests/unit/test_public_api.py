"""What `import ddbio` gives, what it costs, and whether its map of the package is true."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ddbio
import ddbio.aio
from ddbio import ImportOptions, UsageError
from ddbio.cli.main import VERBS

PUBLIC = {
    "AwsSettings": "ddbio.aws.settings",
    "CsvOptions": "ddbio.options",
    "DdbioError": "ddbio.errors",
    "RejectedError": "ddbio.errors",
    "Stopped": "ddbio.errors",
    "TransferError": "ddbio.errors",
    "UsageError": "ddbio.errors",
    "StopFlag": "ddbio.system.stop",
    "query_table": "ddbio.library.arrow",
    "scan_arrow": "ddbio.library.arrow",
    "copy_table": "ddbio.library.calls",
    "count_items": "ddbio.library.calls",
    "delete_from_table": "ddbio.library.calls",
    "diff_tables": "ddbio.library.calls",
    "export_table": "ddbio.library.calls",
    "import_table": "ddbio.library.calls",
    "inspect_table": "ddbio.library.calls",
    "revert_changes": "ddbio.library.calls",
    "sync_tables": "ddbio.library.calls",
    "update_table": "ddbio.library.calls",
    "verify_export": "ddbio.library.calls",
    "delete_items": "ddbio.library.items",
    "find_items": "ddbio.library.items",
    "put_items": "ddbio.library.items",
    "scan": "ddbio.library.items",
    "CopyOptions": "ddbio.verbs.options",
    "CountOptions": "ddbio.verbs.options",
    "DeleteOptions": "ddbio.verbs.options",
    "DiffOptions": "ddbio.verbs.options",
    "ExportOptions": "ddbio.verbs.options",
    "ImportOptions": "ddbio.verbs.options",
    "InspectOptions": "ddbio.verbs.options",
    "RevertOptions": "ddbio.verbs.options",
    "SyncOptions": "ddbio.verbs.options",
    "UpdateOptions": "ddbio.verbs.options",
    "VerifyOptions": "ddbio.verbs.options",
}
EXPENSIVE = {"boto3", "botocore", "msgspec", "orjson", "asyncio", "uvloop", "httptools", "multiprocessing", "tqdm"}


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after the statement."""
    program = f"import sys\n{statement}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_the_public_names_are_these() -> None:
    """A name that is added here is kept for good; one that is taken away breaks somebody's program."""
    assert sorted(ddbio.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_the_one_its_module_has(name: str) -> None:
    home = importlib.import_module(PUBLIC[name])
    assert getattr(ddbio, name) is getattr(home, name)
    assert name in dir(ddbio)
    assert name in vars(ddbio), "it is found without __getattr__ from the second time on"


def test_type_checkers_are_given_the_same_names() -> None:
    """They do not understand `__getattr__`."""
    tree = ast.parse(Path(ddbio.__file__).read_text())
    (block,) = (each for each in tree.body if isinstance(each, ast.If))
    imported = {
        name.asname: each.module
        for each in ast.walk(block)
        if isinstance(each, ast.ImportFrom)
        for name in each.names
    }
    assert imported == PUBLIC


def test_a_star_import_gives_the_public_names() -> None:
    found: dict[str, object] = {}
    exec("from ddbio import *", found)
    assert set(found) - {"__builtins__"} == set(PUBLIC)


def test_another_name_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'ddbio' has no attribute 'import_tabel'"):
        _ = ddbio.import_tabel
    assert not hasattr(ddbio, "__path_to_nothing__")


def test_help_begins_with_a_page_that_names_every_function() -> None:
    page = pydoc.plain(pydoc.render_doc(ddbio)).partition("packages, each of which")[0]
    assert len(page.splitlines()) < 70
    assert [name for name in PUBLIC if name.islower() and f"    {name}(" not in page] == []


def test_public_functions_and_classes_say_what_they_do() -> None:
    assert all((getattr(ddbio, name).__doc__ or "").strip() for name in ddbio.__all__)


def test_importing_the_package_costs_nothing() -> None:
    loaded = loaded_by("import ddbio")
    assert not loaded & EXPENSIVE
    assert {name for name in loaded if name.partition(".")[0] == "ddbio"} == {"ddbio", "ddbio.version"}


def test_options_and_errors_cost_next_to_nothing() -> None:
    loaded = loaded_by("from ddbio import ImportOptions, ExportOptions, AwsSettings, DdbioError, Stopped")
    assert not loaded & EXPENSIVE


def test_a_submodule_is_there_as_well_as_the_lazy_names() -> None:
    assert "ddbio.verbs.import_table" in loaded_by("from ddbio.verbs import import_table; import_table.Import")


@pytest.mark.parametrize(
    "package",
    [
        "ddbio",
        *(
            f"ddbio.{name}"
            for name in ("aws", "dynamodb", "engines", "flow", "forecast", "job", "layouts", "messages")
        ),
        *(
            f"ddbio.{name}"
            for name in (
                "library",
                "loaders",
                "rate",
                "report_page",
                "sinks",
                "sources",
                "steps",
                "system",
                "values",
                "verbs",
            )
        ),
    ],
)
def test_a_map_names_every_module_and_nothing_else(package: str) -> None:
    """One line each: a name, spaces, what it is."""
    mapped = importlib.import_module(package)
    named = re.findall(r"^(?: {4})?([a-z_]+)  +\S", mapped.__doc__ or "", re.MULTILINE)
    modules = {module.name for module in pkgutil.iter_modules(mapped.__path__)} - {"__main__", "_native"}
    assert sorted(named) == sorted(modules)


def test_the_version_is_one_that_packagers_take() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc|\.dev|\.post)\d+)?", ddbio.__version__)


@pytest.mark.parametrize("sources", ["orders.json", (), ""])
def test_sources_that_are_no_sources_are_refused(sources: Any) -> None:
    """A string is a sequence, too: of files of one letter."""
    with pytest.raises(UsageError, match="sources is"):
        ImportOptions(table="Orders", sources=sources)
    assert ImportOptions(table="Orders", sources=("orders.json",)).sources == ("orders.json",)


def test_every_function_is_a_coroutine_too_and_in_the_table_of_all() -> None:
    functions = [name for name in ddbio.__all__ if name.islower()]
    assert [name for name in functions if not hasattr(ddbio.aio, name)] == []
    table = (Path(__file__).parents[2] / "docs" / "library.md").read_text().partition("## All functions")[2]
    assert [name for name in functions if f"| `{name}(" not in table] == []


def test_the_readme_names_every_verb() -> None:
    table = (Path(__file__).parents[2] / "README.md").read_text().partition("has a verb for everything")[2]
    named = table.partition("`ddbio help VERB`")[0]
    assert [verb for verb in VERBS if f"`{verb}`" not in named] == []
