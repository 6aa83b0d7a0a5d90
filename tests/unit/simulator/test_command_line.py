"""The simulator as a command: options that cannot be used are refused."""

from __future__ import annotations

import pytest

from ddbio.simulator.__main__ import main


@pytest.mark.parametrize("name", ["T", "a b c", "x" * 256])
def test_a_table_name_that_dynamodb_refuses_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--table", name, "--host", "127.0.0.1"])
    assert caught.value.code == 2
    assert "is not 3 to 255 letters, digits" in capsys.readouterr().err
