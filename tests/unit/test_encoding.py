"""Texts that are not UTF-8 are recognised by their first bytes, and the refusal names the command that mends them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import UsageError
from ddbio.formats.encoding import check_encoding, other_encoding

ENCODINGS = ["UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", ['{"id": "a"}\n', "[", "id,naïve\n1,2\n", " \n{", "id,日本語\n"])
def test_with_and_without_a_mark(encoding: str, text: str) -> None:
    assert other_encoding(text.encode(encoding)) == encoding
    assert other_encoding(("\ufeff" + text).encode(encoding)) == encoding[:6]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.booleans())
def test_utf8_is_never_taken_for_another(text: str, mark: bool) -> None:
    assert other_encoding(b"\xef\xbb\xbf" * mark + text.encode()) is None


@pytest.mark.parametrize("data", [b"PAR1\0\0", b"\x1f\x8b\x08\0\0\0\0\0", b"\x28\xb5\x2f\xfd\0", b""])
def test_other_files_are_none_of_these(data: bytes) -> None:
    assert other_encoding(data) is None


def test_the_refusal_names_the_encoding_and_the_command() -> None:
    with pytest.raises(UsageError) as caught:
        check_encoding('{"id": "a"}'.encode("utf-16-le"), "/in/my orders.json")
    assert caught.value.message == '"/in/my orders.json" is UTF-16LE, not UTF-8'
    assert caught.value.hint == 'iconv -f UTF-16LE -t UTF-8 "/in/my orders.json" > other.json'
    with pytest.raises(UsageError, match=r"unpack it, then: iconv -f UTF-16 -t UTF-8 .*a.csv.*other.csv"):
        check_encoding("id,n".encode("utf-16"), "a.csv.gz")
