"""The functions of the native core, `native/src/lib.rs`. It may be missing: only `ddbio.native` imports it."""

from collections.abc import Sequence

from ddbio.native import KeyPart, Notation, Projection

INTERFACE: int

def page_lines(body: bytes) -> tuple[bytes, bytes, int] | None:
    """The answer to a Scan without its items, the items as lines of json, and their number; None if anything is
    unusual."""

class SigningKey:
    """key: of a day, region and service, at most 64 bytes."""

    def __init__(self, key: bytes) -> None: ...
    def signature(self, canonical: str, to_sign: str, body: bytes) -> str:
        """In hexadecimal digits. canonical, to_sign: the canonical request and the text to sign, each up to the hash
        that ends it."""

class PutEncoder:
    def __init__(
        self,
        notation: Notation,
        keys: Sequence[KeyPart],
        index_keys: Sequence[KeyPart],
        indexes: Sequence[Projection],
    ) -> None: ...
    def encode(self, records: list[bytes]) -> tuple[bytes, tuple[int, ...], int] | None:
        """The fields of `ddbio.sinks.fast_batch.PreparedPuts`; None if any record is unusual."""
