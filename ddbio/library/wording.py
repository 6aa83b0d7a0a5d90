"""Messages name options of the commands, such as `--state-dir`; for a program they name the parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ddbio.errors import DdbioError
from ddbio.job.progress import Progress

# Options whose parameter has another name; the others are the same word with underscores.
PARAMETERS = {
    "-t": "table",
    "-r": "aws.region",
    "-p": "processes",
    "-c": "capacity",
    "-s": "sources",
    "-d": "destination",
    "--region": "aws.region",
    "--profile": "aws.profile",
    "--endpoint-url": "aws.endpoint_url",
    "--s3-endpoint-url": "aws.s3_endpoint_url",
    "--set": "assign",
    "--size": "file_megabytes",
    "--source": "sources",
    "--all": "all_items",
    "--give-up-after": "give_up_after_s",
    "--no-verify": "verify",
    **{f"--{flag}": f"{flag.replace('-', '_')}=True" for flag in ("fresh", "create-table", "over-provisioned")},
    **{f"--{flag}": f"csv {flag}" for flag in ("delimiter", "empty")},
    "--csv-types": "csv types",
    "--csv-null": "csv nulls",
    "--csv-escape": "csv escape",
    "--infer-types": "csv infer_types",
    "--keep-blanks": "csv keep_blanks",
    "--to-region": "to_aws.region",
    "--to-profile": "to_aws.profile",
    "--to-endpoint-url": "to_aws.endpoint_url",
}
_OPTION = re.compile(r"(?<![\w/-])(--[a-z0-9][a-z0-9-]*|-[a-z])(?![\w-])")
_COMMAND = re.compile(r"\b(?:aws|chmod|gunzip|iconv|pip|tar|ulimit|unzip|uv|xz)\s+-?\w")  # to the end of a text
_AGAIN = "run the same command again"


NameOf = Callable[[str], str]  # of an option


def parameter(option: str) -> str:
    """The parameter of the options for an option of the commands."""
    plain = option.lstrip("-").replace("-", "_")
    return PARAMETERS.get(option, plain if option.startswith("--") else option)


def keyword(option: str) -> str:
    """The same of a function that takes region, profile and endpoint_url beside the options."""
    return parameter(option).removeprefix("aws.")


def in_parameters(error: DdbioError, name_of: NameOf = parameter) -> DdbioError:
    """The same error in terms of parameters."""
    return error.reworded(parameters(error.message, name_of), parameters(error.hint, name_of))


@contextmanager
def in_keywords() -> Iterator[None]:
    """Errors of ddbio are raised in terms of keywords."""
    try:
        yield
    except DdbioError as error:
        raise in_parameters(error, keyword) from None


def parameters(text: str, name_of: NameOf = parameter) -> str:
    """The text with parameters for options, except in commands of other programs."""
    command = _COMMAND.search(text)
    end = command.start() if command else len(text)
    said = text[:end].replace(_AGAIN, "make the same call again")
    return _OPTION.sub(lambda found: name_of(found.group()), said) + text[end:]


class InParameters:
    """A display of a run whose sentences are in terms of parameters."""

    def __init__(self, shown: Progress, name_of: NameOf) -> None:
        self._shown, self._name_of = shown, name_of
        self.start, self.watch = shown.start, shown.watch
        self.update, self.finish = shown.update, shown.finish

    def say(self, text: str) -> None:
        self._shown.say(parameters(text, self._name_of))
