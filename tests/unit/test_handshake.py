"""The proofs that both ends have the same token: neither is taken in by anybody else."""

from __future__ import annotations

import msgspec
import pytest

from ddbio.cluster import handshake
from ddbio.cluster.handshake import HubProof, HubSide, Refusal, RefusedError, SeatHello, SeatProof, SeatSide, decoded
from ddbio.errors import TransferError

TOKEN, OTHER = b"a" * 32, b"b" * 32


def test_both_ends_with_the_token_know_each_other() -> None:
    hub, seat = HubSide(TOKEN, b"certificate"), SeatSide(TOKEN, b"certificate")
    hub.check(seat.answer(hub.answer(seat.hello()), "name"))


def test_a_seat_tells_a_hub_without_the_token_nothing() -> None:
    hub, seat = HubSide(OTHER), SeatSide(TOKEN)
    with pytest.raises(RefusedError, match="the driver has another token"):
        seat.answer(hub.answer(seat.hello()), "name")


def test_a_seat_without_the_token_is_refused() -> None:
    hub, seat = HubSide(TOKEN), SeatSide(OTHER)
    theirs = hub.answer(seat.hello())
    forged = HubProof(theirs.protocol, theirs.nonce, handshake.proof(OTHER, "hub", seat._nonce, theirs.nonce, b""))
    with pytest.raises(RefusedError, match="the worker has another token"):
        hub.check(seat.answer(forged, "name"))


def test_who_passes_messages_on_between_two_certificates_is_found_out() -> None:
    """He cannot make a proof, and that of the hub is about its own certificate."""
    hub, seat = HubSide(TOKEN, b"of the hub"), SeatSide(TOKEN, b"of the man between")
    with pytest.raises(RefusedError, match="intercepts"):
        seat.answer(hub.answer(seat.hello()), "name")


def test_a_proof_of_one_side_is_none_of_the_other() -> None:
    """A hub's proof sent back to it would make anybody a seat."""
    hub, seat = HubSide(TOKEN), SeatSide(TOKEN)
    theirs = hub.answer(seat.hello())
    with pytest.raises(RefusedError):
        hub.check(SeatProof("name", theirs.proof))


def test_an_earlier_proof_is_of_no_use() -> None:
    first, seat = HubSide(TOKEN), SeatSide(TOKEN)
    old = seat.answer(first.answer(seat.hello()), "name")
    second = HubSide(TOKEN)
    second.answer(seat.hello())
    with pytest.raises(RefusedError):
        second.check(old)


def test_another_version_is_named_on_both_sides() -> None:
    with pytest.raises(RefusedError, match=r"the worker has .ddbio 0\.0\.9"):
        HubSide(TOKEN).answer(SeatHello("ddbio 0.0.9 1", bytes(32)))
    with pytest.raises(RefusedError, match=r"the driver has .ddbio 0\.0\.9"):
        SeatSide(TOKEN).answer(HubProof("ddbio 0.0.9 1", bytes(32), b""), "name")


def test_messages_before_the_proofs_have_exactly_their_fields() -> None:
    refusal = msgspec.msgpack.encode(Refusal("reason", "hint"))
    with pytest.raises(RefusedError, match="reason; hint"):
        decoded(refusal, HubProof)
    for data in (
        b"",
        b"\xc1",
        msgspec.msgpack.encode({"type": "SeatHello"}),
        msgspec.msgpack.encode(SeatProof("n", b"")),
    ):
        with pytest.raises(TransferError, match="does not speak"):
            decoded(data, SeatHello)
