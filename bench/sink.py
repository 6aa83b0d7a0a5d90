"""An endpoint that costs next to nothing: `python -m bench.sink [--latency MS] [--tls FOLDER] ...`.

It answers BatchWriteItem and PutItem as if all was written, Scan with the same page over and over, and DescribeTable
with a table that fits, all from text made beforehand, with a correct x-amz-crc32. Nothing is parsed that does not
have to be, nothing is kept. So whoever talks to it is what is measured.

One process, one event loop, loopback only. `GET /` gives its counts since the last `GET /reset`, as JSON.

Not checked: signatures, keys, sizes. A put counts as one write unit, whatever it holds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import ssl
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.certificates import server_context
from bench.shapes import PAGE_ITEMS, SHAPES, page
from ddbio.flow.context import new_event_loop

TABLE = "Orders"
KEYS = ("hash", "range")  # of GenerateTestData's items
KEY_KINDS = ("HASH", "RANGE")
DEFAULT_PAGES = 100
PAGE_UNITS = 128.0  # eventually consistent, 1 MB
_NUMBER_OF = {name: re.compile(rb'"%b": ?"?(\d+)' % name) for name in (b"Segment", b"TotalSegments")}
_PAGE_OF_KEY = re.compile(rb"page-(\d+)")
_CONTENT_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Counts:
    """What was asked since the last reset. The times are of the monotonic clock and of this process's CPU."""

    requests: int = 0
    puts: int = 0
    scanned: int = 0
    first_write_at_s: float = 0.0
    last_write_at_s: float = 0.0
    since_s: float = 0.0
    cpu_s: float = 0.0


class Answers:
    """What to say to each operation. pages: of the whole table, shared out among the segments of a scan."""

    def __init__(self, shape: str = "small", pages: int = DEFAULT_PAGES, keys: Sequence[str] = KEYS) -> None:
        items = page(shape)
        self._pages = pages
        self._page_items = PAGE_ITEMS[shape]
        self._page_head = (
            b'{"Count":%(n)d,"ScannedCount":%(n)d,"Items":%(items)b,"ConsumedCapacity":'
            b'{"TableName":"%(table)b","CapacityUnits":%(units).1f}'
        ) % {b"n": PAGE_ITEMS[shape], b"items": items, b"table": TABLE.encode(), b"units": PAGE_UNITS}
        self._page_crc = zlib.crc32(self._page_head)  # goes on with the tail: a page is summed only once
        self._table = json.dumps(description(pages * PAGE_ITEMS[shape], pages * 1_000_000, keys)).encode()
        self.counts = Counts()
        self.reset()

    def reset(self) -> None:
        self.counts = Counts(since_s=time.monotonic(), cpu_s=time.process_time())

    def to(self, head: bytes, body: bytes) -> tuple[bytes, ...]:
        """The answer to a request, in pieces."""
        self.counts.requests += 1
        if b"20120810.BatchWriteItem" in head:
            return self._batch(body)
        if b"20120810.Scan" in head:
            return self._page(body)
        if b"20120810.PutItem" in head:
            self._note_puts(1)
            return answer(b"{}")
        if b"20120810.ListTables" in head:
            return answer(b'{"TableNames":["%b"]}' % TABLE.encode())
        if b"20120810.DescribeTable" in head:
            return answer(self._table)
        return self._told(head)

    def _note_puts(self, puts: int) -> None:
        counts, counts.last_write_at_s = self.counts, time.monotonic()
        counts.first_write_at_s = counts.first_write_at_s or counts.last_write_at_s
        counts.puts += puts

    def _batch(self, body: bytes) -> tuple[bytes, ...]:
        puts = body.count(b'"PutRequest"')
        self._note_puts(puts)
        if b"ReturnConsumedCapacity" not in body:
            return answer(b'{"UnprocessedItems":{}}')
        told = b'{"UnprocessedItems":{},"ConsumedCapacity":[{"TableName":"%b","CapacityUnits":%d.0}]}'
        return answer(told % (TABLE.encode(), puts))

    def _page(self, body: bytes) -> tuple[bytes, ...]:
        segment, segments = [int(found[1]) if (found := each.search(body)) else 0 for each in _NUMBER_OF.values()]
        key = _PAGE_OF_KEY.search(body)
        number = int(key[1]) + 1 if key else 0
        pages = len(range(segment, self._pages, max(segments, 1)))
        if number >= pages:
            return answer(b'{"Count":0,"ScannedCount":0,"Items":[]}')
        self.counts.scanned += self._page_items
        last_key = b',"LastEvaluatedKey":{"hash":{"S":"page-%d"},"range":{"S":"%d"}}}' % (number, segment)
        tail = last_key if number + 1 < pages else b"}"
        size = len(self._page_head) + len(tail)
        return (http_head(size, zlib.crc32(tail, self._page_crc)), self._page_head, tail)

    def _told(self, head: bytes) -> tuple[bytes, ...]:
        if head.startswith(b"GET /reset"):
            self.reset()
        now = Counts(**asdict(self.counts))
        now.cpu_s, now.since_s = time.process_time() - now.cpu_s, time.monotonic() - now.since_s
        return answer(json.dumps(asdict(now)).encode())


def answer(body: bytes) -> tuple[bytes, ...]:
    return (http_head(len(body), zlib.crc32(body)) + body,)


def http_head(length: int, crc32: int) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: SINK\r\n"
        b"x-amz-crc32: %d\r\nContent-Length: %d\r\n\r\n" % (crc32, length)
    )


def description(item_count: int, size_bytes: int, keys: Sequence[str]) -> dict[str, object]:
    """DescribeTable's answer: an on-demand table with these keys, all strings."""
    schema = [{"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, KEY_KINDS, strict=False)]
    table = {
        "TableName": TABLE,
        "TableArn": f"arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}",
        "TableStatus": "ACTIVE",
        "CreationDateTime": 1_600_000_000,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in keys],
        "KeySchema": schema,
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0, "NumberOfDecreasesToday": 0},
        "ItemCount": item_count,
        "TableSizeBytes": size_bytes,
    }
    return {"Table": table}


class SinkProtocol(asyncio.Protocol):
    """One connection: requests one after the other, each answered when it is whole."""

    def __init__(self, answers: Answers, latency_s: float) -> None:
        self._answers = answers
        self._latency_s = latency_s
        self._received = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's transports do not inherit from it

    def data_received(self, data: bytes) -> None:
        if self._received:
            self._received += data
            data = bytes(self._received)
        head_end = data.find(b"\r\n\r\n")
        if head_end >= 0:
            head, begin = data[:head_end], head_end + 4
            length = _CONTENT_LENGTH.search(head)
            end = begin + (int(length[1]) if length else 0)
            if len(data) >= end:
                self._received.clear()
                self._send(self._answers.to(head, data[begin:end]))
                return
        if not self._received:
            self._received += data

    def _send(self, pieces: tuple[bytes, ...]) -> None:
        if self._latency_s:
            # As with any service, not all answers take the same time: else all lanes of all workers fall into step.
            latency_s = self._latency_s * random.uniform(0.5, 1.5)
            asyncio.get_running_loop().call_later(latency_s, self._transport.writelines, pieces)
        else:
            self._transport.writelines(pieces)


async def serve(
    answers: Answers, port: int, latency_s: float, tls: ssl.SSLContext | None, *, awake: bool = False
) -> None:
    loop = asyncio.get_running_loop()
    if awake:
        _stay_awake(loop)
    server = await loop.create_server(lambda: SinkProtocol(answers, latency_s), "127.0.0.1", port, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    print(f"{'https' if tls else 'http'}://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


def _stay_awake(loop: asyncio.AbstractEventLoop) -> None:
    """Look for requests without ever sleeping. Whoever sends to a process that sleeps on another CPU pays for waking
    it, 20 µs a request in a virtual machine: no network does that to a client."""
    loop.call_soon(_stay_awake, loop)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.sink", description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1 (default: a free one)")
    parser.add_argument(
        "--latency",
        type=float,
        default=0.0,
        metavar="MS",
        help="how late answers are, on average: half of it to one and a half times",
    )
    parser.add_argument("--tls", type=Path, metavar="FOLDER", help="speak TLS; ca.pem and server.pem are made there")
    parser.add_argument("--shape", choices=SHAPES, default="small", help="of the items of a page")
    parser.add_argument("--pages", type=int, default=DEFAULT_PAGES, help="of the table (default: %(default)s)")
    parser.add_argument("--keys", default=",".join(KEYS), help="of the table, all strings (default: %(default)s)")
    parser.add_argument(
        "--awake", action="store_true", help="never sleep: takes a CPU of its own, and spares the client's"
    )
    given = parser.parse_args()
    answers = Answers(given.shape, given.pages, given.keys.split(","))
    loop = new_event_loop()
    tls = server_context(given.tls) if given.tls else None
    try:
        loop.run_until_complete(serve(answers, given.port, given.latency / 1000, tls, awake=given.awake))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
