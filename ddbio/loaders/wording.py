"""The names in messages: a loader's parameters, or the options of the loaders' command, instead of an import's.

What neither has is set in the environment, or is a parameter of `ddbio.import_table`.
"""

from __future__ import annotations

from ddbio.library.wording import parameter

_ENVIRONMENT = {
    "--profile": "AWS_DEFAULT_PROFILE",
    "--endpoint-url": "AWS_ENDPOINT_URL",
    "--state-dir": "DDBIO_STATE_DIR",
    "--config": "DDBIO_CONFIG",
}
_PARAMETERS = {
    **_ENVIRONMENT,
    **dict.fromkeys(("-t", "--table"), "table_name"),
    **dict.fromkeys(("-r", "--region"), "region"),
    **dict.fromkeys(("-s", "--source"), "csv_file"),
    **dict.fromkeys(("-p", "--processes", "--lanes"), "max_workers"),
    "--give-up-after": "max_retries",
}
_OPTIONS = {
    **_ENVIRONMENT,
    **dict.fromkeys(("-t", "--table"), "--table"),
    **dict.fromkeys(("-r", "--region"), "--region"),
    **dict.fromkeys(("-s", "--source"), "--csv"),
    **dict.fromkeys(("-p", "--processes", "--lanes"), "--workers"),
    "--give-up-after": "--max-retries",
}


def of_loader(option: str) -> str:
    """The loader's name of an option of an import."""
    return _PARAMETERS.get(option) or _of_import(option)


def of_command(option: str) -> str:
    """The command's."""
    return _OPTIONS.get(option) or _of_import(option)


def _of_import(option: str) -> str:
    return f"{parameter(option)} of ddbio.import_table"
