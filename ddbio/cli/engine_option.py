"""`--engine`: who works on a job, and the options of the engines that are not this machine alone."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ddbio.cli.display import port
from ddbio.cli.option_rules import HUB, PROCESSES, SPARK
from ddbio.cli.run import positive_int
from ddbio.errors import UsageError

if TYPE_CHECKING:
    from ddbio.engines.engine import Engine, Running, Staff
    from ddbio.engines.environment import Needs
    from ddbio.flow.context import Job

LOCAL = "127.0.0.1"
DEFAULT_SILENCE_S = 5.0
LEAST_SILENCE_S = 0.5  # less would take a busy machine for a lost one


def seconds(text: str) -> float:
    """An argparse type: a number of at least `LEAST_SILENCE_S`."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not LEAST_SILENCE_S <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from {LEAST_SILENCE_S} to 3600")
    return value


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("many machines", "See docs/cluster.md.")
    group.add_argument(
        "--engine",
        choices=(PROCESSES, HUB, SPARK),
        default=PROCESSES,
        help="where the work is done: in processes of this machine, by workers on any machines that join here (ddbio "
        "worker), or in the tasks of a Spark cluster "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--workers-expected",
        type=positive_int,
        metavar="N",
        help="divide the work for this number of worker processes; more or fewer may join (default: 1)",
    )
    group.add_argument(
        "--hub-address",
        metavar="ADDRESS",
        help="the address of this machine where workers join; 0.0.0.0 for all (default: 127.0.0.1; spark.driver.host "
        "with --engine spark)",
    )
    group.add_argument(
        "--hub-port", type=port, default=0, metavar="PORT", help="the port there (default: any free one)"
    )
    group.add_argument(
        "--slots",
        type=positive_int,
        metavar="N",
        help="number of Spark tasks that do the work (default: as many as the cluster can run at once)",
    )
    _add_worker_options(group)


def _add_worker_options(group: argparse._ArgumentGroup) -> None:
    """Who may join, when one is lost, and what each of them gets."""
    group.add_argument(
        "--token-file",
        metavar="PATH",
        help="the file with the secret that workers must have; it is made if it does not exist",
    )
    group.add_argument(
        "--worker-timeout",
        type=seconds,
        default=DEFAULT_SILENCE_S,
        metavar="SECONDS",
        help="a worker that hears nothing for this time stops; its work goes to others after twice this time "
        "(default: %(default)g)",
    )
    group.add_argument(
        "--shared-filesystem", action="store_true", help="all machines have the same files: allow paths, not only S3"
    )
    group.add_argument(
        "--send-keys",
        action="store_true",
        help="send the AWS keys of this machine to the workers (default: each uses its own role)",
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """engine: None for the usual one. sentences: about it, for the user."""

    engine: Engine | None = None
    sentences: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PlannedEngine:
    """The engine of a job that is only planned: no worker joins it."""

    shares_disk: bool
    staff: Staff

    def open(self, job: Job, needs: Needs) -> AbstractContextManager[Running]:
        raise UsageError("a plan works on nothing", "leave --plan out")


def planned_engine(given: argparse.Namespace) -> Engine | None:
    """None for the usual one."""
    if given.engine == PROCESSES:
        return None
    from ddbio.engines.engine import Staff

    expected = given.workers_expected or 1 if given.engine == HUB else given.slots
    return PlannedEngine(given.shared_filesystem, Staff("worker" if given.engine == HUB else "task", expected))


@contextmanager
def chosen_engine(given: argparse.Namespace) -> Iterator[Chosen]:
    """Raises UsageError for options that cannot work."""
    if given.engine == PROCESSES:
        yield Chosen()
        return
    with _at_hub(given) if given.engine == HUB else _on_spark(given) as chosen:
        yield chosen


@contextmanager
def _at_hub(given: argparse.Namespace) -> Iterator[Chosen]:
    if given.token_file is None:
        raise UsageError(
            "--engine hub needs a --token-file", "name a file: it is made, and every worker needs a copy"
        )
    from ddbio.cluster.engine import HubEngine, HubSettings
    from ddbio.cluster.token import kept_token

    settings = HubSettings(
        token=kept_token(Path(given.token_file)),
        address=given.hub_address or LOCAL,
        port=given.hub_port,
        expected=given.workers_expected or 1,
        shares_disk=given.shared_filesystem,
        silence_s=given.worker_timeout,
        alone_s=given.give_up_after,
        send_keys=given.send_keys,
    )
    with HubEngine(settings) as engine:
        host, number = engine.address
        at = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
        yield Chosen(engine, [f"Workers join with: ddbio worker --join {at} --token-file {given.token_file}"])


@contextmanager
def _on_spark(given: argparse.Namespace) -> Iterator[Chosen]:
    """In the session of spark-submit, or in a new one by the settings of Spark here."""
    from ddbio.cluster.on_spark import SparkEngine, SparkSettings
    from ddbio.cluster.spark_session import spark_session

    settings = SparkSettings(
        slots=given.slots,
        address=given.hub_address,
        port=given.hub_port,
        shares_disk=given.shared_filesystem,
        silence_s=given.worker_timeout,
        alone_s=given.give_up_after,
        send_keys=given.send_keys,
    )
    with spark_session() as spark, SparkEngine(spark, settings) as engine:
        yield Chosen(engine, [f"Spark {spark.version} works on it, with {engine.slots} tasks"])
