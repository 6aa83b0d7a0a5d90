"""What packing costs: `python -m bench.packing`. MB of JSON lines a CPU-second, both ways, and how small they get."""

from __future__ import annotations

import subprocess
import sys
import time
import zlib
from collections.abc import Callable

import zstandard
from isal import isal_zlib

from bench.measure import ROOT

ITEMS = 100_000
ROUNDS = 5

PACKERS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "isal 1": (lambda data: isal_zlib.compress(data, 1), isal_zlib.decompress),
    "zlib 1": (lambda data: zlib.compress(data, 1), zlib.decompress),
    "zlib 6": (lambda data: zlib.compress(data, 6), zlib.decompress),
    "zstd 1": (zstandard.ZstdCompressor(level=1).compress, zstandard.ZstdDecompressor().decompress),
}


def cpu_s(call: Callable[[bytes], bytes], data: bytes) -> float:
    """The best of a few rounds."""
    seconds = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        call(data)
        seconds.append(time.process_time() - began_s)
    return min(seconds)


def main() -> None:
    command = [sys.executable, str(ROOT / "GenerateTestData.py"), "-c", str(ITEMS), "-f", "-", "--seed", "1"]
    lines = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True).stdout
    for name, (pack, unpack) in PACKERS.items():
        packed, megabytes = pack(lines), len(lines) / 1e6
        print(
            f"{name}: packs {megabytes / cpu_s(pack, lines):,.0f} MB/s, unpacks "
            f"{megabytes / cpu_s(unpack, packed):,.0f} MB/s, to 1/{len(lines) / len(packed):.2f}"
        )


if __name__ == "__main__":
    main()
