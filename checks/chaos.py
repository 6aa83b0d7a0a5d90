"""Kill jobs at random, and check that nothing is lost: `python -m checks.chaos [--seeds N] [--first N]`.

Every seed is an import, a copy, an export, an update, a delete and a sync of the same items against the embedded
DynamoDB, which fails at random, repeatably for a seed: 500 before and after the write, cut connections, wrong
checksums, expired tokens, throttling. A third of the seeds has no faults: those also count the items that are written
again. While a command runs, workers are killed, and the parent is killed or stopped, at random moments; then the same
command runs again, until its job is done.

Then the table must hold exactly the items, the rejects file exactly the bad records with their line numbers, the copy
exactly the items that it can have and its rejects file the others, the exported folder exactly the table and what its
manifest says; the update must have changed each item once, the delete removed exactly the items that match its
filter, and the sync made a second table equal; the accounts of every run must add up; no worker may live two seconds
after its parent. Prints a line for each seed and one for all. Exits with 1 if any of this did not hold.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from checks.disturbed import LANES, DisturbedRuns, Outcome
from ddbio.messages.counts import Tally
from ddbio.simulator import FaultPlan, Simulator, TableView
from ddbio.simulator.faults import (
    BAD_CRC,
    CUT_AFTER,
    CUT_BEFORE,
    EXPIRED_TOKEN,
    INTERNAL_ERROR,
    INTERNAL_ERROR_AFTER_WRITE,
    TRUNCATED,
    Fault,
)

FAULTS = [
    *(INTERNAL_ERROR, INTERNAL_ERROR_AFTER_WRITE, CUT_BEFORE, CUT_AFTER, BAD_CRC, TRUNCATED, EXPIRED_TOKEN),
    Fault(error="ProvisionedThroughputExceededException"),
]
BATCH = 25
SEGMENTS, SEGMENT_ITEMS = 60, 140  # of a copy; no segment has more
DISTURBED_RUNS, MOST_RUNS = 5, 25  # of a command; the later ones only the service may end


class Chaos:
    """One seed. folder: an empty one to work in."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._dice = random.Random(seed)
        self._seed = seed
        self._folder = folder
        self._bad_lines = 0
        self._not_copied: set[str] = set()  # keys of items that the copy rejects
        self.outcome = Outcome()
        self._runs = DisturbedRuns(folder, self._dice, self.outcome)

    def run(self) -> Outcome:
        calm = self._seed % 3 == 0
        plan = FaultPlan(FAULTS, probability=0.0 if calm else 0.06, seed=self._seed, latency_s=0.02)
        with Simulator(faults=plan) as simulator:
            table = simulator.create_table("Orders", "id:S")
            items = self._write_source()
            report = self._until_done("import", simulator, "-s", "in")
            self._check_import(report, table.items(), items)
            if calm:
                self._check_vain("import", table.consumed("write") - len(items), BATCH)
            copies = simulator.create_table("Copies", "id:S", global_indexes={"byDay": ["day:S"]})
            words = ("--to", "Copies", "--segments", SEGMENTS, "--to-capacity", 1500)
            self._check_copy(self._until_done("copy", simulator, *words), copies.items(), items)
            if calm:
                written = copies.consumed("write") - len(items) + len(self._not_copied)
                self._check_vain("copy", written, SEGMENT_ITEMS)
            report = self._until_done("export", simulator, "-d", "out", "--segments", 5, "-s", 1, "-c", 400)
            self._check_export(report, items)
            if not calm:  # a request an item: with as many faults no run would get far
                simulator.faults = FaultPlan(FAULTS, probability=0.01, seed=self._seed, latency_s=0.01)
            self._edit(simulator, table, items)
        return self.outcome

    def _edit(self, simulator: Simulator, table: TableView, items: dict[str, int]) -> None:
        """Add to a number of each item, and delete a part of the items."""
        common = ("--yes", "--segments", 5)
        one = ("--set", "n = n + :one", "--values", '{"one": 1}', "--once", "mark")
        self._until_done("update", simulator, "--all", *one, *common)
        held = {item["id"]["S"]: int(item["n"]["N"]) for item in table.items()}
        self.outcome.expect(held == {key: n + 1 for key, n in items.items()}, "an item was not changed exactly once")
        how = ["--if-unchanged"] * (self._seed % 2)
        self._until_done("delete", simulator, "--filter", "n < :n", "--values", '{"n": 500}', *how, *common)
        left = {item["id"]["S"] for item in table.items()}
        self.outcome.expect(left == {key for key, n in items.items() if n >= 499}, "other items were deleted")
        self._mirror(simulator, table)

    def _mirror(self, simulator: Simulator, table: TableView) -> None:
        """Make a table equal that lacks a third of the items, has another third in another state, and strays."""
        mirror, items = simulator.create_table("Mirror", "id:S"), table.items()
        changed = [{**item, "n": {"N": "-1"}} for item in items[1::3]]
        mirror.put_items([*items[::3], *changed, *({"id": {"S": f"stray {number}"}} for number in range(50))])
        self._until_done("sync", simulator, "--to", "Mirror", "--yes")
        self.outcome.expect(_by_key(mirror.items()) == _by_key(items), "the tables are not equal after a sync")

    # -- what is moved

    def _write_source(self) -> dict[str, int]:
        """Three files of items with bad lines between them; the items by key."""
        (self._folder / "in").mkdir()
        items: dict[str, int] = {}
        for part in range(3):
            lines = []
            for number in range(self._dice.randrange(600, 1400)):
                key = f"{part}-{number:05d}"
                items[key] = number
                day = "monday" if self._dice.random() < 0.99 else 1
                self._not_copied |= {key} if day == 1 else set()
                lines.append(json.dumps({"id": key, "n": number, "day": day, "filler": "x" * 400}))
                if self._dice.random() < 0.01:
                    lines.append(f"bad line {part} {number}")
                    self._bad_lines += 1
            (self._folder / "in" / f"{part}.json").write_text("".join(f"{line}\n" for line in lines))
        return items

    # -- runs

    def _until_done(self, verb: str, simulator: Simulator, *options: object) -> dict[str, Any]:
        """Run a command until it has ended by itself; its last report."""
        for attempt in range(MOST_RUNS):
            code = self._runs.run(verb, simulator, attempt < DISTURBED_RUNS, *options)
            report = self._last_report(verb)
            if report is not None and code >= 0:
                self._check_accounts(verb, report, code)
            if report is not None and (code in (0, 1) or self._is_finished(verb)):  # it is written before that
                return report
            # By the signal itself, or 1: before the program is loaded, Python is what it hits.
            fine = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, 1, 3, 130)
            refused = code == 2 and self._keys_were_refused()
            self.outcome.expect(code in fine or refused, f"the {verb} ended with {code}")
        self.outcome.problems.append(f"the {verb} was not done after {MOST_RUNS} runs")
        return {}

    def _keys_were_refused(self) -> bool:
        """Whether the last run ended at its first look at the table, before anything was moved."""
        last = (self._folder / "log").read_text(errors="replace").splitlines()[-1:]
        return any("Scan of table" in line and "ExpiredTokenException" in line for line in last)

    def _is_finished(self, verb: str) -> bool:
        """Whether the job was done when its process was killed: then it has no journal any more.

        An update and a delete may be repeated.
        """
        if verb in ("update", "delete"):
            return False
        folders = list((self._folder / "state").glob(f"{verb}-*"))
        return bool(folders) and not (folders[0] / "journal.sqlite").exists()

    # -- what must be so

    def _last_report(self, verb: str) -> dict[str, Any] | None:
        for path in (self._folder / "state").glob(f"{verb}-*/report.json"):
            report: dict[str, Any] = json.loads(path.read_text())
            path.unlink()
            return report
        return None

    def _check_accounts(self, verb: str, report: dict[str, Any], code: int) -> None:
        counts = report["counts"]
        self.outcome.expect(
            report["exit_code"] == code, f"the report says {report['exit_code']}, it ended with {code}"
        )
        if verb != "export":
            self.outcome.expect(not Tally(**counts).unsettled(), f"the accounts do not add up: {counts}")
        else:
            self.outcome.expect(counts["read"] >= counts["written"], f"more exported than read: {counts}")

    def _check_import(self, report: dict[str, Any], held: list[Any], items: dict[str, int]) -> None:
        in_table = {item["id"]["S"]: int(item["n"]["N"]) for item in held}
        self.outcome.expect(in_table == items, f"the table has {len(in_table)} items, not the {len(items)}")
        counts = report.get("counts", {})
        self.outcome.expect(
            (counts.get("written"), counts.get("rejected")) == (len(items), self._bad_lines),
            f"the import claims {counts}, there were {len(items)} items and {self._bad_lines} bad lines",
        )
        rejects = [json.loads(text) for path in self._folder.glob("*.rejects.jsonl") for text in _lines(path)]
        told = sorted((Path(each["source"]).name, each["line"], each["record"]) for each in rejects)
        self.outcome.expect(told == self._bad_records(), "the rejects file is not what was bad")

    def _bad_records(self) -> list[tuple[str, int, str]]:
        return sorted(
            (path.name, number, line)
            for path in (self._folder / "in").iterdir()
            for number, line in enumerate(_lines(path), 1)
            if line.startswith("bad")
        )

    def _check_vain(self, verb: str, vain: float, each: int) -> None:
        """each: how many writes a lane may repeat."""
        allowed = self.outcome.happened[f"deaths of {verb} workers"] * LANES * each
        self.outcome.expect(vain <= allowed, f"{vain} items of the {verb} were written in vain, {allowed} may be")

    def _check_copy(self, report: dict[str, Any], held: list[Any], items: dict[str, int]) -> None:
        expected = {key: number for key, number in items.items() if key not in self._not_copied}
        found = {item["id"]["S"]: int(item["n"]["N"]) for item in held}
        self.outcome.expect(found == expected, f"the copy has {len(found)} items, not the {len(expected)}")
        counts = report.get("counts", {})
        claims = (counts.get("read"), counts.get("written"), counts.get("rejected"))
        truth = (len(items), len(expected), len(self._not_copied))
        self.outcome.expect(claims == truth, f"the copy claims {claims}, it is {truth}")
        path = self._folder / "Orders.rejects.jsonl"
        rejects = [json.loads(line)["key"]["id"]["S"] for line in _lines(path)] if path.exists() else []
        self.outcome.expect(sorted(rejects) == sorted(self._not_copied), "the copy's rejects are not what was bad")

    def _check_export(self, report: dict[str, Any], items: dict[str, int]) -> None:
        out = self._folder / "out"
        lines = [json.loads(line) for path in sorted(out.glob("Orders-*.json")) for line in _lines(path)]
        exported = {line["id"]: line["n"] for line in lines}
        self.outcome.expect(
            exported == items and len(lines) == len(items), f"{len(lines)} items were exported, not the {len(items)}"
        )
        counts = report.get("counts", {})
        self.outcome.expect(counts.get("read") == counts.get("written") == len(items), f"the export claims {counts}")
        names = {path.name for path in out.iterdir()}
        listed = {each["name"] for each in json.loads((out / "_manifest.json").read_text())["files"]}
        self.outcome.expect(names == {*listed, "_manifest.json"}, f"the manifest lists {listed}, there is {names}")


def _by_key(items: list[Any]) -> dict[str, Any]:
    return {item["id"]["S"]: item for item in items}


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def run_seed(seed: int) -> Outcome:
    """A seed in a folder of its own, which stays where something was wrong."""
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    outcome = Chaos(seed, folder).run()
    if outcome.problems:
        outcome.problems.append(f"see {folder}")
    else:
        shutil.rmtree(folder)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=50, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: %(default)s)")
    given = parser.parse_args()
    happened: Counter[str] = Counter()
    bad = []
    for seed in range(given.first, given.first + given.seeds):
        outcome = run_seed(seed)
        happened += outcome.happened
        said = "; ".join(outcome.problems) or "ok"
        print(f"seed {seed}: {said} ({', '.join(f'{n} {what}' for what, n in sorted(outcome.happened.items()))})")
        sys.stdout.flush()
        if outcome.problems:
            bad.append(seed)
    told = ", ".join(f"{count} {what}" for what, count in sorted(happened.items()))
    print(f"{given.seeds} seeds, {len(bad)} with problems {bad or ''}: {told}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
