"""The figures of a plan as lines for a person. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ddbio.forecast.durations import duration
from ddbio.forecast.forecast import RCU, Amount, Demand, Forecast

_UNKNOWN = "unknown"
_SCALES = (("GB", 1e9), ("MB", 1e6), ("KB", 1e3))


def lines_of(forecast: Forecast) -> Iterator[str]:
    """Nothing for a forecast without any figure, but its warnings."""
    for demand in forecast.demands:
        yield f"{_of_demand(demand)}"
    if forecast.demands:
        yield _time(forecast)
    if forecast.read_bytes is not None or forecast.written_bytes is not None:
        yield f"Bytes: {amount(forecast.read_bytes, size)} read, {amount(forecast.written_bytes, size)} written"
    if forecast.s3_requests:
        counts = (f"{amount(requests)} {kind}" for kind, requests in forecast.s3_requests.items())
        yield f"S3 requests: {', '.join(counts)}"
    if forecast.processes is not None:
        yield f"Machine: {_machine(forecast, forecast.processes)}"
    if forecast.planning_units:
        yield f"This plan itself consumed {forecast.planning_units:,.1f} RCU, to read a sample of the items"
    for warning in forecast.warnings:
        yield f"Warning: {warning}"


def amount(amount: Amount | None, spoken: Callable[[float], str] = lambda value: f"{value:,.0f}") -> str:
    """`1,234` if it is exact, `about 1,234 (1,200 to 1,300)`, or `unknown`."""
    if amount is None:
        return _UNKNOWN
    likely, low, high = map(spoken, (amount.likely, amount.low, amount.high))
    return likely if low == high else f"about {likely} ({low} to {high})"


def size(size_bytes: float) -> str:
    """`1.2 MB`."""
    for unit, scale in _SCALES:
        if size_bytes >= scale:
            return f"{size_bytes / scale:,.1f} {unit}"
    return f"{size_bytes:,.0f} B"


def _of_demand(demand: Demand) -> str:
    """`Writes of table Orders: 10,000 items, 12,000 WCU, and 10,000 of index by-city`."""
    what = "Reads" if demand.kind == RCU else "Writes"
    indexes = ", and " + ", ".join(
        f"{amount(units, _units)} of index {name}" for name, units in demand.by_index.items()
    )
    of_replicas = f", and as many in {', '.join(demand.replicas)}"
    return (
        f"{what} of table {demand.table}: {amount(demand.items)} item{'s' * (demand.items != Amount.exact(1))}, "
        f"{amount(demand.units, _units)} {demand.kind}{indexes if demand.by_index else ''}"
        f"{of_replicas if demand.replicas and demand.kind != RCU else ''}"
    )


def _units(value: float) -> str:
    """`12,000`, and `0.5`."""
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:,.1f}"


def _time(forecast: Forecast) -> str:
    if forecast.seconds is None:
        return f"Time: {forecast.held_by or _UNKNOWN}"
    return f"Time at the cap: {amount(forecast.seconds, duration)}, by {forecast.held_by}"


def _machine(forecast: Forecast, processes: int) -> str:
    memory, disk = forecast.memory_bytes, forecast.disk_bytes
    of_memory = f", at most {size(memory.high)} of memory" if memory is not None else ""
    of_disk = f", {amount(disk, size)} of disk" if disk is not None and disk.high else ""
    return f"{processes:,} process{'es' * (processes != 1)}{of_memory}{of_disk}"
