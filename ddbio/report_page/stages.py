"""The history of a job that is several jobs in a row, made of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from ddbio.report_page.history import MOST_ROWS, History, Part, RunOfJob, Sample, SideSample
from ddbio.report_page.thinning import MOST, thinned

ALL_TABLES = "all tables"


def joined(stages: Mapping[str, History]) -> History:
    """stages: by name. Their tables differ, so the units are those of all tables together, and there is no cap."""
    order = sorted(stages, key=lambda name: [run.began for run in stages[name].runs])
    whole = _Joined()
    for name in order:
        whole.add(name, stages[name])
    return History(
        sides=[ALL_TABLES],
        counts=whole.counts,
        reasons=whole.reasons,
        seconds=sum(stage.seconds for stage in stages.values()),
        runs=whole.runs,
        samples=thinned(whole.samples, MOST),
        parts=whole.parts[:MOST_ROWS],
        parts_are="part",
        latency_bounds=next((bounds for name in order if (bounds := stages[name].latency_bounds)), []),
    )


@dataclass
class _Joined:
    counts: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    runs: list[RunOfJob] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def add(self, name: str, stage: History) -> None:
        before = len(self.runs)
        for count, value in stage.counts.items():
            self.counts[count] = self.counts.get(count, 0) + value
        for reason, number in stage.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + number
        for run in stage.runs:
            why = f"stage {name}: {run.why or 'finished'}" if run.exit_code is not None else ""
            self.runs.append(RunOfJob(before + run.number, run.began, run.seconds, run.exit_code, why))
        for sample in stage.samples:
            one_side = [SideSample(sample.units, None, None)]
            self.samples.append(msgspec.structs.replace(sample, run=before + sample.run, sides=one_side))
        for part in stage.parts:
            if not part.read and not part.units:  # as those of a comparison of digests
                continue
            self.parts.append(msgspec.structs.replace(part, name=f"{name} {part.name}"))
