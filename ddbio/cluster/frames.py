"""Messages on a stream: four bytes of length, then that many bytes."""

from __future__ import annotations

import asyncio

HEAD_BYTES = 4
MOST_BYTES = 256 * 1024 * 1024  # of one message: a unit with its records, or a report with a page, has a few MB


class BadFrameError(ConnectionError):
    """A length that no message has."""


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(HEAD_BYTES, "big") + message


async def read_frame(reader: asyncio.StreamReader, most_bytes: int = MOST_BYTES) -> bytes | None:
    """The next message; None at the end of the stream. Raises OSError if the connection is lost, or the message is
    longer than `most_bytes`."""
    try:
        size = int.from_bytes(await reader.readexactly(HEAD_BYTES), "big")
        if size > most_bytes:
            raise BadFrameError(f"a message of {size:,} bytes")
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        return None
