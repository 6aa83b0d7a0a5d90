"""The functions of the native core, `native/src/lib.rs`. It may be missing: only `ddbio.native` imports it."""

from collections.abc import Sequence

from ddbio.native import KeyPart, Notation, Projection

INTERFACE: int

def page_lines(body: bytes) -> tuple[bytes, bytes, int] | None:
    """The answer to a Scan without its items, the items as lines of json, and their number; None if anything is
    unusual."""

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
