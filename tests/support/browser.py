"""A real browser: Chromium without a window, driven by its own protocol over two pipes."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.endpoints.model import Unavailable
from tests.endpoints.packages import find_first_program

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--disable-extensions", "--remote-debugging-pipe"),
)


class Browser:
    """One page. told: the events of the protocol so far."""

    def __init__(self, process: subprocess.Popen[bytes], commands: int, answers: int) -> None:
        self._process = process
        self._commands, self._answers = commands, answers
        self._received = b""
        self._number = 0
        self._session = ""
        self.told: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self.told.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            more = os.read(self._answers, 1 << 16)
            if not more:
                raise Unavailable(f"the browser ended: {self._process.poll()}")
            self._received += more
        message, _, self._received = self._received.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def open(self, page: Path, *, dark: bool = False, width: int = 1200) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.told.clear()
        self.call("Page.navigate", url=page.absolute().as_uri())
        while not self.of("Page.loadEventFired"):
            self.told.append(self._next())

    def of(self, *methods: str) -> list[dict[str, Any]]:
        """The events so far of these kinds."""
        return [each["params"] for each in self.told if each.get("method") in methods]

    def requests(self) -> list[str]:
        return [each["request"]["url"] for each in self.of("Network.requestWillBeSent")]

    def complaints(self) -> list[dict[str, Any]]:
        """Messages and errors on the console, dialogs, and what the page's policy refused."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return self.of(*kinds, "Page.javascriptDialogOpening")

    def value(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]

    def screenshot(self, path: Path) -> bytes:
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))
        return path.read_bytes()


@contextmanager
def started(profile: Path) -> Iterator[Browser]:
    """profile: a folder of its own. Raises Unavailable if there is none on this machine."""
    program = find_first_program(PROGRAMS, "Debian has it as chromium-headless-shell")
    commands_in, commands = os.pipe()
    answers, answers_out = os.pipe()

    def as_3_and_4() -> None:  # where Chromium has its pipes; in the child, before it begins
        kept = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (commands_in, answers_out)]
        os.dup2(kept[0], 3)
        os.dup2(kept[1], 4)

    process = subprocess.Popen(
        [program, *OPTIONS, f"--user-data-dir={profile}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=False,
        preexec_fn=as_3_and_4,
        env={"HOME": str(profile), "PATH": os.environ["PATH"]},
    )
    os.close(commands_in)
    os.close(answers_out)
    try:
        yield Browser(process, commands, answers)
    finally:
        os.close(commands)
        with suppress(subprocess.TimeoutExpired):
            process.wait(3)
        process.kill()
        process.wait()
        os.close(answers)
