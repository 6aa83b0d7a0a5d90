"""The token by which the machines of a job know each other: a file with a random secret, never an argument.

The driver makes it if it does not exist; copy it to the other machines by a way that you trust.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from ddbio.aws.redaction import remember
from ddbio.errors import UsageError

LEAST_CHARACTERS = 32
_RANDOM_BYTES = 32


def new_token() -> bytes:
    token = secrets.token_hex(_RANDOM_BYTES)
    remember(token)
    return token.encode()


def read_token(path: Path) -> bytes:
    """Raises UsageError for a file that is missing, too short, or readable for other users."""
    try:
        with path.open("rb") as file:
            mode, content = os.fstat(file.fileno()).st_mode, file.read(4096)
    except OSError as error:
        raise UsageError(
            f'the token file "{path}" cannot be read: {error.strerror}', "copy that of the driver"
        ) from None
    if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        raise UsageError(f'other users can read the token file "{path}"', f"chmod 600 {path}")
    token = content.strip()
    if len(token) < LEAST_CHARACTERS or not token.isascii():
        raise UsageError(
            f'the token file "{path}" has no token', f"it must have {LEAST_CHARACTERS} random characters or more"
        )
    remember(token.decode())
    return token


def kept_token(path: Path) -> bytes:
    """The token in the file, which is made if it does not exist. Raises UsageError."""
    token = new_token()
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return read_token(path)
    except OSError as error:
        raise UsageError(f'the token file "{path}" cannot be made: {error.strerror}', "name another one") from None
    with os.fdopen(file, "wb") as opened:
        opened.write(token + b"\n")
    return token
