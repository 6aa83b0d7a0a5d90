"""What an import and an export have in common: a job, its units, a governor, an engine, and the books kept of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ddbio.accounts import Accounts, verdict
from ddbio.caps import Cap
from ddbio.dynamodb.session import Session
from ddbio.engine import Engine, StopFlag
from ddbio.errors import DdbioError
from ddbio.governor import SharedGovernor
from ddbio.progress import Progress
from ddbio.units import Notice, Unit, UnitReport
from ddbio.worker import Job


def transfer(
    job: Job,
    units: Sequence[Unit],
    *,
    engine: Engine,
    session: Session,
    cap: Cap,
    stop: StopFlag,
    progress: Progress,
    on_report: Callable[[UnitReport], float],
) -> tuple[Accounts, DdbioError | None]:
    """Let the engine work the units; the books, and why the job is not complete (None when it is).

    on_report: called with every report once it is entered; returns the progress made, in the unit progress counts.
    """
    governor = SharedGovernor.create(cap.units_per_s)
    accounts = Accounts()
    try:
        for event in engine(job, units, governor=governor, keys=session.keys, stop=stop):
            if isinstance(event, Notice):
                progress.say(event.text)
                continue
            progress.update(on_report(event), accounts.tally)
            accounts.enter(event)
    except DdbioError as error:
        return accounts, error
    finally:
        progress.finish()
        governor.close()
        governor.unlink()
    return accounts, verdict(accounts, len(units), stopped=stop.requests > 0)
