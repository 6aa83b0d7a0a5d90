"""The user's function for `--transform`: its module is loaded in a separate process first, then in this one.

A module may do anything while it loads: raise, call sys.exit or os._exit, recurse for ever, crash the interpreter.
The trial in the other process finds all of that before any item moves. It loads only this module and the standard
library.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from ddbio.errors import UsageError

HOW = "write FILE.py:FUNCTION, or MODULE:FUNCTION for one that can be imported"
_FIX = "fix the file first"
_LONGEST = 300  # characters of an exception's text
_TRIAL = "import sys; sys.path[:] = {path!r}; from ddbio.system.user_function import trial; trial({text!r}, {pipe})"

_loaded: list[str] = []  # in this process


def absolute(text: str) -> str:
    """`FILE.py:FUNCTION` with a path that does not depend on the current folder. Raises UsageError."""
    path, colon, name = text.rpartition(":")
    if not (path and colon and name):
        raise UsageError(f"--transform {text!r} names no function", HOW)
    return f"{Path(path).absolute()}:{name}" if path.endswith(".py") else text


def checked_function(text: str) -> Callable[[Any], Any]:
    """The function, after a trial in another process. text: see `absolute`. Raises UsageError."""
    path, _, _ = text.rpartition(":")
    if _module_name(path) not in sys.modules:
        _try_it(text)
    return load_function(text)


def load_function(text: str) -> Callable[[Any], Any]:
    """The function. Raises UsageError with the module's error and its line."""
    path, _, name = text.rpartition(":")
    if path.endswith(".py") and not Path(path).exists():
        raise UsageError(f'--transform: there is no file "{path}"', HOW)
    try:
        module = _load_file(Path(path)) if path.endswith(".py") else _load_module(path)
        function = getattr(module, name, None)
    except BaseException as error:  # the module may raise anything
        if is_interrupt(error):
            raise
        raise UsageError(
            f"--transform {name}: {path} cannot be loaded: {as_text(error)}{_line_of(error, path)}", _FIX
        ) from None
    _loaded.append(text)
    if not callable(function):
        raise UsageError(f"--transform: {path} has no function {name!r}", HOW)
    return function  # type: ignore[no-any-return]


def is_interrupt(error: BaseException) -> bool:
    """Whether it is the user's Ctrl-C. Workers ignore that signal, so in a worker the function itself raised it."""
    return isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) != signal.SIG_IGN


def end_threads(code: int) -> None:
    """End this process if threads are running that the user's code may have started: Python would wait for them."""
    others = [each for each in threading.enumerate() if not each.daemon and each is not threading.main_thread()]
    if not (_loaded and others):
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


# --------------------------------------------------------------------------- the trial


def _try_it(text: str) -> None:
    """Load the function in a process that ends afterwards. Raises UsageError."""
    ours, theirs = os.pipe()
    code = _TRIAL.format(path=sys.path, text=text, pipe=theirs)
    try:
        ended = subprocess.run(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs],
            check=False,
        )
        os.close(theirs)
        theirs = -1
        with os.fdopen(os.dup(ours), "rb") as pipe:
            said = pipe.read().decode("utf-8", "replace")
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)
    if said == "ok":
        return
    path, _, name = text.rpartition(":")
    if said:
        message, _, hint = said.partition("\0")
        raise UsageError(message, hint)
    code_or_signal = f"signal {-ended.returncode}" if ended.returncode < 0 else f"exit code {ended.returncode}"
    raise UsageError(f"--transform {name}: {path} cannot be loaded: it ends the process ({code_or_signal})", _FIX)


def trial(text: str, pipe: int) -> None:
    """Runs in the process of the trial: writes the result to `pipe`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(pipe, False)
    try:
        load_function(text)
    except UsageError as error:
        said = f"{error.message}\0{error.hint}"
    else:
        said = "ok"
    os.write(pipe, said.encode("utf-8", "replace")[:4096])
    os._exit(0)  # does not wait for threads that the module started


# --------------------------------------------------------------------------- loading


def _module_name(path: str) -> str:
    return f"ddbio_transform_{Path(path).stem}" if path.endswith(".py") else path


def _load_file(path: Path) -> ModuleType:
    name = _module_name(str(path))
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(path):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _load_module(name: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.append("")  # the current folder, as with `python -m`
    return importlib.import_module(name)


# --------------------------------------------------------------------------- errors


def as_text(error: BaseException) -> str:
    """An exception of the user's code in one short line."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # its __str__ fails
        text = ""
    return f"{type(error).__name__}: {text[:_LONGEST]}" if text else type(error).__name__


def _line_of(error: BaseException, path: str) -> str:
    if isinstance(error, SyntaxError):
        return ""  # its text contains the line
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f" (line {lines[-1]})" if lines else ""


def line_in_function(trace: TracebackType | None, function: Callable[[Any], Any]) -> str:
    """The last line of the function's file in the traceback, as text."""
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    lines = [frame.lineno for frame in traceback.extract_tb(trace) if frame.filename == file]
    return f" (line {lines[-1]} of {Path(str(file)).name})" if lines else ""
