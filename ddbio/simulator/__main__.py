"""`python -m ddbio.simulator`: the simulator as a separate process.

Prints the URL on one line of standard output as soon as it listens, and on standard error the environment with which
clients use it. Ends with 0 on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
import time

from ddbio.simulator.administration import TABLE_NAME
from ddbio.simulator.database import UNLIMITED, Database, Rates
from ddbio.simulator.embedded import is_loopback, listen, new_event_loop, shut_down, url_of
from ddbio.simulator.schema import KeySchema, TableSchema
from ddbio.simulator.server import Service
from ddbio.simulator.throughput import ThroughputSettings

_ENVIRONMENT = """\
To use it, paste this into another terminal (any keys will do):
export AWS_ENDPOINT_URL_DYNAMODB={url} AWS_REGION={region} AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any
"""


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal; the exit code."""
    options = _parser().parse_args(arguments)
    if not (options.allow_remote or is_loopback(options.host)):
        sys.stderr.write(
            f"ddbio.simulator: other machines can reach {options.host}, and requests are not authenticated; "
            "use --allow-remote if you want that\n"
        )
        return 2
    service = Service(_database(options), time.monotonic)
    if options.table:
        _create(service, options)
    # Millions of items with hardly any reference cycles: the search for cycles would waste time.
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
    loop = new_event_loop()
    try:
        return loop.run_until_complete(_serve(service, options.host, options.port))
    finally:
        loop.close()


async def _serve(service: Service, host: str, port: int) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        server = await listen(service, host, port)
    except OSError as error:
        sys.stderr.write(f"ddbio.simulator: cannot listen on {host} port {port}: {error.strerror}\n")
        return 2
    sys.stdout.write(url_of(server) + "\n")
    sys.stdout.flush()
    sys.stderr.write(_ENVIRONMENT.format(url=url_of(server), region=service.database.region))
    sys.stderr.flush()
    await stop.wait()
    await shut_down(server, service)
    return 0


def _database(options: argparse.Namespace) -> Database:
    settings = ThroughputSettings(
        burst_s=options.burst_s, initial_burst_s=options.initial_burst_s, partitions=options.partitions
    )
    return Database(defaults=settings, activation_s=options.activation_s)


def _create(service: Service, options: argparse.Namespace) -> None:
    provisioned = options.wcu is not None or options.rcu is not None
    rates: Rates = (options.rcu or options.wcu, options.wcu or options.rcu) if provisioned else UNLIMITED
    schema = TableSchema(options.table, options.key)
    service.database.create(schema, {"": rates}, provisioned, service.now_s())


def _table(name: str) -> str:
    if not TABLE_NAME.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{name!r} is not 3 to 255 letters, digits and the characters _ . -")
    return name


def _key(text: str) -> KeySchema:
    key = KeySchema.parse(*text.split(","))
    if not (len(key.names) <= 2 and set(key.types) <= {"S", "N", "B"} and all(key.names)):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:TYPE[,NAME:TYPE] with types S, N or B")
    return key


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m ddbio.simulator", description="An embedded DynamoDB for tests and demos"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any free one)")
    parser.add_argument("--allow-remote", action="store_true", help="listen on an address other machines can reach")
    parser.add_argument("--table", type=_table, help="create this table")
    parser.add_argument(
        "--key", type=_key, default="id:S", metavar="NAME:TYPE[,NAME:TYPE]", help="its keys (default: %(default)s)"
    )
    parser.add_argument("--wcu", type=float, help="its provisioned write units per second (default: on-demand)")
    parser.add_argument("--rcu", type=float, help="its provisioned read units per second (default: on-demand)")
    parser.add_argument("--burst-s", type=float, default=300.0, help="seconds of unused capacity a table keeps")
    parser.add_argument(
        "--initial-burst-s", type=float, help="seconds of capacity it starts with (default: as much as it keeps)"
    )
    parser.add_argument("--partitions", type=int, default=0, help="partitions with separate limits in a table")
    parser.add_argument("--activation-s", type=float, default=0.0, help="seconds until a new table is ACTIVE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
