"""GenerateTestData: argv -> a file of test data -> one line on stderr.

The file is written in place and overwrites an existing one. If the writing is interrupted, the part written so far
stays, and the message says that the file is incomplete.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ddbio.cli.option_rules import Rules
from ddbio.cli.parsing import Parser
from ddbio.cli.run import Command, invocation, positive_int, run
from ddbio.errors import EXIT_OK, Stopped, TransferError, UsageError
from ddbio.system.signals import signals_held
from ddbio.system.terminal import stderr, tell

if TYPE_CHECKING:
    from ddbio.verbs.datasets import DataSpec

PROGRAM = "GenerateTestData.py"
STDOUT = "-"
PROGRESS_AFTER_S = 2.0

DESCRIPTION = "Make test data for DynamoDB: one item a line, as JSON or CSV."

RULES: Rules = dict.fromkeys(("--count", "--file", "--dataset", "--format", "--keys", "--item-size", "--seed"))

EXAMPLES = """\
examples:
  1. a million items to import:
       {command} -c 1000000 -f items.json
  2. items of exactly 1,000 bytes in DynamoDB, the same ones every time:
       {command} -c 10000 -f items.json --item-size 1000 --seed 1
  3. orders as CSV, some descriptions with commas and quotes in them:
       {command} -c 10000 -f orders.csv --dataset loader
  4. a few partition keys with most of the items:
       {command} -c 10000 -f skewed.json --keys skewed
  5. one item to look at:
       {command} -c 1 -f -

exit codes: 0 all items written, 2 the command cannot work, 3 the disk is full or failed,
70 an internal error, 130 stopped with Ctrl-C, 141 the reader of standard output went away.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv` (default: the process's own) and return its exit code."""

    def action(command: Command) -> int:
        return write_data(command, parser().parse(argv))

    return run(PROGRAM, action)


def parser() -> Parser:
    parser = Parser(
        description=DESCRIPTION,
        verb="generate",
        rules=RULES,
        surplus_hint="put an option before each value, and a value with blanks in quotes",
    )
    parser.epilog = EXAMPLES.format(command=invocation(parser.prog))
    add = parser.add_argument
    add("-c", "--count", type=positive_int, required=True, metavar="N", help="number of items")
    add("-f", "--file", required=True, metavar="PATH", help="the file to write, overwritten; - is standard output")
    add(
        "--dataset",
        choices=("default", "loader"),
        default="default",
        help="default: hash, range, val_1, val_2; loader: id, timestamp, category, user_name, email, amount, status, "
        "description",
    )
    add("--format", choices=("json", "csv"), help="default: csv if the file's name ends in .csv, else json")
    add(
        "--keys",
        choices=("uuid", "sorted", "skewed"),
        default="uuid",
        help="partition keys: uuid, unique to each item; sorted, ascending in runs of 10 items; skewed, a few keys "
        "with most of the items (Zipf). Default uuid",
    )
    add(
        "--item-size",
        type=positive_int,
        metavar="BYTES",
        help="size of every item in DynamoDB (names and values); an attribute `pad` makes up the difference",
    )
    add("--seed", type=int, metavar="N", help="same seed, same bytes")
    return parser


def write_data(command: Command, options: argparse.Namespace) -> int:
    with signals_held():  # here, so that --help answers at once
        from ddbio.cli.interrupts import interrupt_on_signals
        from ddbio.verbs.generate import generate

        interrupt_on_signals(command)
    blocks = generate(spec_of(options))  # before the file is opened: an impossible size overwrites nothing
    is_stdout = options.file == STDOUT
    where = "standard output" if is_stdout else options.file
    with Progress(options.count, visible=not is_stdout) as progress:
        try:
            with open_output(options.file) as output:
                for items, data in blocks:
                    output.write(data)
                    progress.add(items, len(data))
        except KeyboardInterrupt:
            raise Stopped(f"stopped after {progress}", f"{where} is incomplete") from None
        except OSError as error:
            if is_stdout and isinstance(error, BrokenPipeError):
                raise
            raise TransferError(
                f"cannot write to {where} after {progress}: {error.strerror}", f"{where} is incomplete"
            ) from error
    tell(f"{command.name}: {progress} in {progress.elapsed_s:.2f} s to {where}")
    return EXIT_OK


def spec_of(options: argparse.Namespace) -> DataSpec:
    from ddbio.verbs.datasets import DataSpec

    return DataSpec(
        count=options.count,
        dataset=options.dataset,
        format=options.format or format_of(options.file),
        keys=options.keys,
        item_size_bytes=options.item_size,
        seed=options.seed,
    )


def format_of(path: str) -> str:
    """The format that a file's name asks for. Raises UsageError for one that cannot be generated."""
    from ddbio.formats import data_suffixes
    from ddbio.storage.names import without_compression

    name = path.lower()
    if name.endswith(".csv"):
        return "csv"
    if without_compression(name) != name:
        raise UsageError(f"{path} is named like a compressed file", "compress it afterwards, or add --format")
    suffix = next((each for each in data_suffixes() if name.endswith(each)), "")
    if suffix and suffix not in (*data_suffixes("json"), ".ndjson"):
        raise UsageError(
            f"test data are JSON or CSV, and {path} is named like neither",
            "name it .json or .csv, or add --format to write it nevertheless",
        )
    return "json"


OPEN_HINTS = {
    errno.ENOENT: "make its folder first",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder; name a file in it",
    errno.EACCES: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that you may write to",
}


@contextlib.contextmanager
def open_output(path: str) -> Iterator[IO[bytes]]:
    """The file `path`, or standard output, opened for writing. Raises UsageError if it cannot be opened."""
    if path == STDOUT:
        if sys.stdout is None:
            raise TransferError("standard output is closed", "name a file with -f")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        output = Path(path).open("wb")  # noqa: SIM115 - closed below, with the errors of writing
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        hint = OPEN_HINTS.get(getattr(error, "errno", None) or 0, "")
        raise UsageError(f"cannot write to {path}: {getattr(error, 'strerror', error)}", hint) from error
    with output:
        yield output


class Progress:
    """Counts the items and bytes written; on a terminal, shows a bar for a run that takes long."""

    def __init__(self, total_items: int, *, visible: bool = True) -> None:
        self._visible = visible and stderr.isatty()
        self.total_items = total_items
        self.items = 0
        self.size_bytes = 0
        self._started_s = time.monotonic()
        self._bar: Any = None  # tqdm, imported when it is needed

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __str__(self) -> str:
        return f"{self.items:,} item{'s' * (self.items != 1)}, {self.size_bytes:,} bytes"

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started_s

    def add(self, items: int, size_bytes: int) -> None:
        self.items += items
        self.size_bytes += size_bytes
        if self._bar is not None:
            self._bar.update(items)
        elif self.elapsed_s > PROGRESS_AFTER_S and self._visible:
            self._bar = self._new_bar()

    def _new_bar(self) -> Any:
        from tqdm import tqdm

        return tqdm(
            total=self.total_items, initial=self.items, file=stderr, unit=" items", unit_scale=True, leave=False
        )


if __name__ == "__main__":
    raise SystemExit(main())
