"""Both ends of a connection prove that they have the same token, without sending it. Pure: values in, values out.

    seat -> hub    SeatHello   its version, a random number
    hub  -> seat   HubProof    its version, a random number, HMAC-SHA256 of both numbers
    seat -> hub    SeatProof   another HMAC-SHA256 of both numbers, and the seat's name
    hub  -> seat   a message, or Refusal

The certificate of a TLS connection is part of what both prove: whoever stands between them has another one, so the
proofs do not fit, and no authority has to vouch for it. The messages until then are the only ones that anybody can
send: each is small and has exactly these fields.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TypeVar

import msgspec

from ddbio.errors import TransferError, UsageError
from ddbio.version import __version__

PROTOCOL = f"ddbio {__version__} 2"  # both ends must have the same; the last number is that of the messages
NONCE_BYTES = 32
MOST_BYTES = 4096  # of a message before the proofs

Message = TypeVar("Message", bound=msgspec.Struct)


class SeatHello(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """nonce: random bytes."""

    protocol: str
    nonce: bytes


class HubProof(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    protocol: str
    nonce: bytes
    proof: bytes


class SeatProof(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """name: of the seat, for notices."""

    name: str
    proof: bytes


class Refusal(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """In place of any answer."""

    reason: str
    hint: str


class RefusedError(UsageError):
    """The other end has another token, or another version."""


def new_nonce() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)


def decoded(data: bytes, kind: type[Message]) -> Message:
    """A message before the proofs. Raises RefusedError for a refusal, TransferError for anything unexpected."""
    try:
        message = msgspec.msgpack.decode(data, type=kind | Refusal)
    except (msgspec.MsgspecError, ValueError):
        raise TransferError("the other end of the connection does not speak ddbio's protocol") from None
    if isinstance(message, Refusal):
        raise RefusedError(message.reason, message.hint)
    return message  # type: ignore[no-any-return]


def proof(token: bytes, side: str, seat_nonce: bytes, hub_nonce: bytes, certificate: bytes) -> bytes:
    """side: `hub` or `seat`. certificate: of the hub, DER; empty without TLS."""
    parts = (PROTOCOL.encode(), side.encode(), seat_nonce, hub_nonce, hashlib.sha256(certificate).digest())
    text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(token, text, hashlib.sha256).digest()


def check_protocol(theirs: str, they: str, we: str) -> None:
    """Raises RefusedError unless both have the same version. they, we: the two ends, for a message that both show."""
    if theirs != PROTOCOL:
        raise RefusedError(
            f"{they} has {theirs.rpartition(' ')[0]!r}, {we} {PROTOCOL.rpartition(' ')[0]!r}",
            "install the same version of ddbio on all machines",
        )


class HubSide:
    """The hub's side of one connection."""

    def __init__(self, token: bytes, certificate: bytes = b"") -> None:
        self._token = token
        self._certificate = certificate
        self._nonce = new_nonce()
        self._theirs = b""

    def answer(self, hello: SeatHello) -> HubProof:
        """Raises RefusedError for another version, TransferError for a number that is too short."""
        check_protocol(hello.protocol, "the worker", "the driver")
        if len(hello.nonce) != NONCE_BYTES:
            raise TransferError("the worker's number has another size")
        self._theirs = hello.nonce
        return HubProof(PROTOCOL, self._nonce, self._proof("hub"))

    def check(self, given: SeatProof) -> None:
        """Raises RefusedError unless the seat has the token."""
        if not hmac.compare_digest(given.proof, self._proof("seat")):
            raise RefusedError("the worker has another token", "copy the token file of the driver")

    def _proof(self, side: str) -> bytes:
        return proof(self._token, side, self._theirs, self._nonce, self._certificate)


class SeatSide:
    """The seat's side of one connection."""

    def __init__(self, token: bytes, certificate: bytes = b"") -> None:
        self._token = token
        self._certificate = certificate
        self._nonce = new_nonce()

    def hello(self) -> SeatHello:
        return SeatHello(PROTOCOL, self._nonce)

    def answer(self, theirs: HubProof, name: str) -> SeatProof:
        """Raises RefusedError unless the hub has the token, and the connection ends there."""
        check_protocol(theirs.protocol, "the driver", "this worker")
        expected = proof(self._token, "hub", self._nonce, theirs.nonce, self._certificate)
        if len(theirs.nonce) != NONCE_BYTES or not hmac.compare_digest(theirs.proof, expected):
            raise RefusedError(
                "the driver has another token, or someone intercepts the connection", "copy its token file"
            )
        return SeatProof(name, proof(self._token, "seat", self._nonce, theirs.nonce, self._certificate))
