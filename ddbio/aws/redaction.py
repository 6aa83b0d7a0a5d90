"""Removes the secrets that this process knows from its error messages and crash reports."""

from __future__ import annotations

import os
import re

_VARIABLES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
)
_SHORTEST = 6  # a shorter one is no secret, and might be a part of any word
_USERINFO = re.compile(r"(?<=://)[^/\s]*@")  # to the last @ before the path: a password may have one, too
_HIDDEN = "***"

_known: set[str] = set()


def remember(*secrets: str | None) -> None:
    """Hide these, too, from now on."""
    _known.update(filter(None, secrets))


def hide(text: str) -> str:
    """`text` without the secrets of the environment, those that were remembered, and passwords in URLs."""
    secrets = {*_known, *(os.environ.get(name, "") for name in _VARIABLES)}
    for secret in sorted(secrets, key=len, reverse=True):
        for form in {secret, secret.strip(), repr(secret)[1:-1]}:
            if len(form) >= _SHORTEST:
                text = text.replace(form, _HIDDEN)
    return without_userinfo(text)


def without_userinfo(text: str) -> str:
    """`http://host` for each `http://user:password@host` in the text."""
    return _USERINFO.sub("", text)
