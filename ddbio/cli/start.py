"""The first code of every command: from here on Ctrl-C and SIGTERM end it with exit code 130 and one line.

While a command loads, an exception raised by a signal handler could be lost in an import or show a traceback, and
there is nothing to settle yet: so the handlers end the process at once. This module imports almost nothing itself.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

EXIT_USAGE, EXIT_STOPPED = 2, 130  # as in `ddbio.errors`, which an old Python cannot import
ENDING = (signal.SIGINT, signal.SIGTERM)
# Imports make 100,000 objects that stay; a collection every few hundred objects takes a tenth of the startup time.
COLLECTOR_THRESHOLDS = (100_000, 20, 50)


def ddbimport() -> int:
    return _start("ddbio.cli.ddbimport")


def ddbexport() -> int:
    return _start("ddbio.cli.ddbexport")


def ddbgenerate() -> int:
    return _start("ddbio.cli.ddbgenerate")


def ddbio() -> int:
    return _start("ddbio.cli.main")


def loaders() -> int:
    return _start("ddbio.loaders.command")


def program_name() -> str:
    """The command as it was called, without its folder."""
    if sys.argv[0] == "-m":  # still locating the module
        return sys.orig_argv[sys.orig_argv.index("-m") + 1].rpartition(".")[2] + ".py"
    return os.path.basename(sys.argv[0])  # noqa: PTH119 - pathlib takes a while to load


def end_at_once(_signal: int = 0, _frame: object = None) -> NoReturn:
    """A signal handler that ends the process without cleaning up."""
    try:  # noqa: SIM105 - contextlib takes a while to load
        os.write(2, f"{program_name()}: error: stopped\n".encode(errors="replace"))
    except OSError:
        pass
    os._exit(EXIT_STOPPED)


def obey_at_once() -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until there is progress to show (`ddbio.cli.display`)
    for each in ENDING:
        signal.signal(each, end_at_once)


def _start(module: str) -> int:
    obey_at_once()
    import gc
    import importlib

    gc.set_threshold(*COLLECTOR_THRESHOLDS)

    from ddbio.cli.front import what_is_missing

    problem = what_is_missing()
    if problem:
        sys.stderr.write(f"{program_name()}: error: {problem}\n")
        return EXIT_USAGE
    code: int = importlib.import_module(module).main()
    of_user = sys.modules.get("ddbio.system.user_function")
    if of_user is not None:
        of_user.end_threads(code)
    gc.freeze()  # the interpreter's last collection would look at all of it once more
    return code
