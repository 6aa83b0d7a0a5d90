"""A job without success says why after 15 s and then every minute: one notice, whoever reports the trouble."""

from __future__ import annotations

from ddbio.job.standstill import Standstill
from ddbio.messages import Tally
from ddbio.system.clock import ManualClock


class Job:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.said: list[tuple[float, str]] = []
        self.began_s = self.clock.now_s
        self.standstill = Standstill(self._say, 600.0, self.clock)

    def _say(self, text: str) -> None:
        self.said.append((self.clock.now_s - self.began_s, text))

    def let(self, seconds: float, trouble: str = "") -> None:
        """Time passes, looked at ten times a second; lanes report the trouble all the time."""
        for _ in range(round(seconds * 10)):
            self.clock.now_s += 0.1
            if trouble:
                self.standstill.trouble(trouble)
            self.standstill.look()


def test_a_notice_after_15_s_and_every_minute() -> None:
    job = Job()
    job.let(14.8, "ThrottlingException: slow down")
    assert job.said == []
    job.let(130.0, "ThrottlingException: slow down")
    assert [round(at_s) for at_s, _ in job.said] == [15, 75, 135]
    assert job.said[0][1] == (
        "Nothing has succeeded for 15 s: ThrottlingException: slow down. Retrying; the run stops after 600 s without "
        "success (--give-up-after)."
    )
    assert job.said[2][1].startswith("Nothing has succeeded for 135 s: ")


def test_the_reason_is_the_latest_one_and_is_forgotten_with_a_success() -> None:
    job = Job()
    job.let(10.0, "old trouble")
    job.let(6.0, "timeout: no complete answer within 30 s")
    assert "timeout: no complete answer" in job.said[0][1]
    job.standstill.success()
    job.let(16.0)
    assert len(job.said) == 2
    assert "no request was answered or refused" in job.said[1][1]


def test_while_something_succeeds_nothing_is_said() -> None:
    job = Job()
    for _ in range(20):
        job.let(14.0, "ThrottlingException")
        job.standstill.success()
    assert job.said == []


def test_retries_and_refusals_settle_nothing() -> None:
    assert not Tally(requests=5, retries=3, throttled=2, reasons={"timeout": 3}).settles()
    assert all(each.settles() for each in (Tally(read=1), Tally(written=1), Tally(skipped=1), Tally(units=0.5)))
