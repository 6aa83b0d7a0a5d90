"""Turns `--filter` and `--attributes` into DynamoDB expressions with unambiguous names.

Every attribute name is replaced by a placeholder, so that none of the 573 reserved words matters; values are never
part of an expression, which refers to them by name. Only the tokens are checked here: the service checks the syntax,
in a request before the transfer starts.

    --filter "price > :p AND begins_with(sku, :s)" --values '{"p": 10, "s": "x"}'
    price > :p AND begins_with(sku, :s)   ->   #n0 > :p AND begins_with(#n1, :s)

A name with characters other than letters, digits and underscores is written `#short` and defined with `--names`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ddbio.errors import RecordError, UsageError
from ddbio.formats.json_lines import decode_object
from ddbio.values.items import AttributeMap, to_attributes

FUNCTIONS = ("attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size")
_KEYWORDS = ("AND", "OR", "NOT", "BETWEEN", "IN")
_TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>(),.\[\]]|#\w+|:\w+|[0-9]+|[^\W\d]\w*)")
_OF_OTHER_LANGUAGES = {  # as the user may have written them: the remedy
    "&&": "write AND",
    "||": "write OR",
    "==": "write =",
    "!=": "write <>",
    "!": "write NOT",
    "LIKE": "write begins_with(name, :text) or contains(name, :text)",
    "IS": "write attribute_exists(name) or attribute_not_exists(name)",
}
_TWO_NAMES = re.compile(r"(?<![:\w.#])#?[^\W\d][\w.]*\s*(?:<=|>=|<>|[=<>])\s*#?[^\W\d][\w.]*(?!\s*[\w.(])")
_HOW_TO_NAME = 'write #short, and define it with --names \'{"short": "the whole name"}\''


class Placeholders:
    """The names and values of the expressions of one request.

    names: by placeholder. values: attribute values by name, without the colon. aliases: from `--names`.
    """

    def __init__(self, values: AttributeMap | None = None, aliases: Mapping[str, str] | None = None) -> None:
        self.names: dict[str, str] = {}
        self.values = values or {}
        self._aliases = aliases or {}
        self._unused = {*self.values}

    def of_name(self, token: str) -> str:
        """The placeholder of a name, or of the name that a `#short` is defined as."""
        name = token
        if token.startswith("#"):
            if token[1:] not in self._aliases:
                raise UsageError(f"{token} is not defined", _HOW_TO_NAME)
            name = self._aliases[token[1:]]
        return self.mark_of(name)

    def mark_of(self, name: str) -> str:
        """The placeholder of an attribute's own name."""
        known = next((mark for mark, each in self.names.items() if each == name), None)
        if known is None:
            known = f"#n{len(self.names)}"
            self.names[known] = name
        return known

    def of_value(self, token: str, option: str = "--filter") -> str:
        if token[1:] not in self.values:
            raise UsageError(f"{option} has {token}, and --values has no {token[1:]!r}", "add it to --values")
        self._unused.discard(token[1:])
        return token

    def check_all_used(self, expressions: str = "--filter") -> None:
        """Raise UsageError for a value that no expression uses: its name is probably misspelt."""
        if self._unused:
            name = min(self._unused)
            raise UsageError(f"--values has {name!r}, and {expressions} has no :{name}", "remove it, or use it")

    def with_names(self, text: str) -> str:
        """A message of the service with the user's names instead of placeholders."""
        for mark, name in reversed(self.names.items()):  # #n10 before #n1
            text = text.replace(mark, name)
        return text


def filter_expression(text: str, placeholders: Placeholders) -> str:
    """The FilterExpression of `--filter`. Raises UsageError if it is not valid."""
    _refuse_other_languages(text)
    tokens = list(_tokens(text, "--filter"))
    if {*tokens} <= {"(", ")"}:
        raise UsageError("--filter has no condition", "write one like price > :p, or leave --filter out")
    return " ".join(
        _filter_token(token, before, after, placeholders)
        for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False)
    )


def _refuse_other_languages(text: str) -> None:
    """Raise UsageError for operators that DynamoDB has not."""
    plain = re.sub(r"\"[^\"]*\"|'[^']*'", "''", text)
    found = re.search("&&|[|][|]|==|!=|!", plain)
    words = re.finditer(r"(\w+)\s+(like|is)\s+\S", plain, re.IGNORECASE)  # after a name: else it is one itself
    sign = found[0] if found else next((each[2] for each in words if each[1].upper() not in _KEYWORDS), None)
    if sign is not None:
        raise UsageError(f"--filter has {sign!r}, which DynamoDB does not know", _OF_OTHER_LANGUAGES[sign.upper()])


def _filter_token(token: str, before: str, after: str, placeholders: Placeholders) -> str:
    if token.startswith(":"):
        return placeholders.of_value(token)
    if token.upper() in _KEYWORDS:
        return token.upper()
    if token.isdigit() and before != "[":
        raise UsageError(
            f"--filter compares with {token}", f"write :name instead, and --values '{{\"name\": {token}}}'"
        )
    if not _is_name(token):
        return token
    if after != "(":
        return placeholders.of_name(token)
    if token not in FUNCTIONS:
        raise UsageError(f"--filter: there is no function {token}", f"there are {', '.join(FUNCTIONS)}")
    return token


def compared_attributes(text: str) -> str | None:
    """The first comparison of a filter whose sides are both attributes; its author may have meant a value."""
    found = _TWO_NAMES.search(text)
    return found[0] if found else None


def projection_expression(text: str, placeholders: Placeholders) -> str:
    """The ProjectionExpression of `--attributes`. Raises UsageError if it is not valid."""
    tokens = list(_tokens(text, "--attributes"))
    for before, token in zip([",", *tokens], [*tokens, ","], strict=True):
        if token == before == "," or (token[0] in ":=<>("):
            raise UsageError(f"--attributes {text!r} is no list of attributes", "write it like id,city.zip,tags[0]")
    return "".join(placeholders.of_name(token) if _is_name(token) else token for token in tokens)


def top_names(text: str, aliases: Mapping[str, str]) -> set[str]:
    """The attributes that the paths of `--attributes` begin with."""
    tokens = list(_tokens(text, "--attributes"))
    firsts = [token for before, token in zip([",", *tokens], tokens, strict=False) if before == ","]
    return {aliases.get(token[1:], token) if token.startswith("#") else token for token in firsts}


def _is_name(token: str) -> bool:
    return token.startswith("#") or not (token.isdigit() or re.fullmatch(r"[^\w#]+", token))


def _tokens(text: str, option: str) -> Iterator[str]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise _stray(text[at:].lstrip(), option)
        yield found[1]
        at = found.end()


def _stray(rest: str, option: str) -> UsageError:
    if rest[0] in "'\"":
        return UsageError(
            f"{option} has a quote before {rest[1:20]!r}: values cannot be part of an expression",
            'write :name instead, and --values \'{"name": "text"}\'',
        )
    return UsageError(f"{option} has {rest[0]!r}, which cannot be part of a name without a #", _HOW_TO_NAME)


_TYPES = frozenset(("S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"))


def parse_values(text: str) -> AttributeMap:
    """The values of `--values`, JSON as in `json` files; a colon before a name is optional."""
    try:
        given = {name.removeprefix(":"): value for name, value in decode_object(text.encode()).items()}
        for name, value in given.items():
            if (
                type(value) is dict and len(value) == 1 and _TYPES.intersection(value)
            ):  # would match nothing, silently
                raise UsageError(
                    f"--values has {name!r} with its type, as in DynamoDB JSON",
                    'write plain JSON: {"p": 10, "s": "text"}; a map as {"$M": {...}}',
                )
        return to_attributes(given)
    except RecordError as error:
        raise UsageError(f"--values: {error}", 'write it like {"p": 10, "s": "text"}') from None


def parse_names(text: str) -> dict[str, str]:
    """The aliases of `--names`, JSON; a # before an alias is optional."""
    try:
        names: dict[str, Any] = decode_object(text.encode())
    except RecordError as error:
        raise UsageError(f"--names: {error}", 'write it like {"short": "the whole name"}') from None
    if not all(type(name) is str and name for name in names.values()):
        raise UsageError("--names: a name must be a string", 'write it like {"short": "the whole name"}')
    return {short.removeprefix("#"): name for short, name in names.items()}
