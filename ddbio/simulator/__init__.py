"""An embedded DynamoDB: small, fast, with exact capacity, and able to fail on demand.

It serves the demo, which needs no AWS, the tests of the rate governor (public emulators do not enforce throughput and
report capacity wrongly), and the benchmarks. Run it with `python -m ddbio.simulator`, or inside a process:

    with Simulator() as simulator:
        orders = simulator.create_table("Orders", "id:S", wcu=100, rcu=100)
        ...  # any AWS SDK, with endpoint_url=simulator.url
        orders.items(), orders.consumed("write")

The map, from the wire inwards:

    server.py       HTTP, delays, cut connections      control.py      configure and inspect from outside
    operations.py   operation name -> function         faults.py       which request gets which fault
    batch_writes.py BatchWriteItem                     requests.py     the requests as declared types
    single_writes.py  PutItem, UpdateItem, ...         expressions.py, update_expressions.py  their grammar
    reads.py        Scan, GetItem                      batch_reads.py  BatchGetItem
    administration.py, descriptions.py                 CreateTable, DescribeTable, ...
    database.py     tables by name                     consumed.py     ConsumedCapacity
    tables.py       one table: prepare, price, apply   throughput.py   token buckets (pure)
    capacity.py     sizes, units and limits, independent of the client's
    schema.py       keys and indexes                   values.py       attribute values, checked and normalised
    store.py        items by key and in scan order     segments.py     the hash space
    paths.py        document paths                     partial.py      batches of which half is processed
"""

from ddbio.simulator.embedded import Simulator, TableView
from ddbio.simulator.faults import Fault, FaultPlan
from ddbio.simulator.throughput import ThroughputSettings

__all__ = ["Fault", "FaultPlan", "Simulator", "TableView", "ThroughputSettings"]
