"""What a command costs: CPU of its whole process tree, time, and memory of each process.

Every command gets a fresh measuring process (`python -m bench.measure`): it adopts whatever the command leaves
behind, so that its children's CPU is the tree's, whoever reaped whom. Memory is looked at every tenth of a second:
the peak of a process is the kernel's own high-water mark.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

LOOK_EVERY_S = 0.1
_PR_SET_CHILD_SUBREAPER = 36
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Run:
    """One run of a command.

    cpu_s: of all its processes. parent_cpu_s: of the one that was started.
    peak_bytes: of each process that lived long enough to be looked at. peak_total_bytes: of all at one time.
    began_s: on the monotonic clock, which all processes share.
    """

    cpu_s: float
    parent_cpu_s: float
    wall_s: float
    began_s: float
    peak_total_bytes: int
    peak_bytes: dict[str, int] = field(default_factory=dict)

    @property
    def worker_peak_bytes(self) -> int:
        """Of the largest worker; of the only process where there are no workers."""
        workers = [size for name, size in self.peak_bytes.items() if "worker" in name]
        return max(workers or self.peak_bytes.values(), default=0)


class CommandError(Exception):
    """A command that was to be measured did not do its work."""


def measure(command: Sequence[str], environment: Mapping[str, str], folder: Path, timeout_s: float = 300.0) -> Run:
    """Run a command to its end. Raises CommandError when it does not end well."""
    words = [sys.executable, "-m", "bench.measure", *command]
    ours = {"PYTHONPATH": str(ROOT), "DDBIO_STATE_DIR": str(folder.resolve() / "state")}
    process = subprocess.run(words, env={**environment, **ours}, cwd=folder, capture_output=True, timeout=timeout_s)
    if process.returncode:
        said = (process.stdout + process.stderr).decode(errors="replace").strip()[-2000:]
        raise CommandError(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
    return Run(**json.loads(process.stdout.splitlines()[-1]))


def main() -> int:
    """Runs the command in its arguments. The last line of its output is the run, as JSON."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began_s = time.monotonic()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
    peaks, total = _watch(process.pid)
    wall_s, parent_cpu_s = time.monotonic() - began_s, _own_cpu_s(process.pid)
    code = process.wait()
    _reap_the_rest()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = Run(used.ru_utime + used.ru_stime, parent_cpu_s, wall_s, began_s, total, peaks)
    print(json.dumps(asdict(run)))
    return code


def _watch(root: int) -> tuple[dict[str, int], int]:
    """Look at the tree until its root has ended: peaks of the processes by number and name, and of their sum."""
    peaks: dict[str, int] = {}
    total, step_s = 0, 0.01
    while not os.waitid(os.P_PID, root, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        sizes = [_memory(pid) for pid in _tree(os.getpid())]
        peaks.update({f"{pid} {name}": high for pid, name, _, high in sizes if high})
        total = max(total, sum(now for _, _, now, _ in sizes))
        time.sleep(step_s)
        step_s = min(LOOK_EVERY_S, step_s * 1.5)
    return peaks, total


def _tree(root: int) -> list[int]:
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        children = [int(each) for task in _tasks(pid) for each in _text(task / "children").split()]
        found += children
        queue += children
    return found


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it ended meanwhile
        return ""


def _memory(pid: int) -> tuple[int, str, int, int]:
    """(pid, name, bytes resident now, bytes resident at most)."""
    fields = dict(line.split(":", 1) for line in _text(Path(f"/proc/{pid}/status")).splitlines())
    now, high = (int(fields.get(name, "0 kB").split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return pid, fields.get("Name", "").strip(), now, high


def _own_cpu_s(zombie: int) -> float:
    """CPU of a process that has ended and is not reaped, without its children's."""
    fields = _text(Path(f"/proc/{zombie}/stat")).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _reap_the_rest() -> None:
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(main())
