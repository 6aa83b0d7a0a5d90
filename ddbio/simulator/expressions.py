"""Expressions: a ProjectionExpression becomes a `Projection`, a filter or condition a function of an item.
`update_expressions` has the grammar of updates.

The grammar is the developer guide's ("Expressions in DynamoDB"): comparators, BETWEEN, IN, AND, OR, NOT and the six
functions, over document paths, `:values` and `size(path)`. Placeholders must be defined and used. The simulator does
not check for the service's 573 reserved words.
"""

from __future__ import annotations

import operator
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from ddbio.simulator.capacity import MAX_EXPRESSION_BYTES
from ddbio.simulator.errors import ServiceError, invalid
from ddbio.simulator.paths import Path, Projection, value_at
from ddbio.simulator.values import Item, Value, check_item

Predicate = Callable[[Item], bool]
Defined = TypeVar("Defined")
Operand = Callable[[Item], "Value | None"]

_TOKEN = re.compile(r"\s*(<=|>=|<>|[-+=<>(),.\[\]]|[#:]?\w+)")
_COMPARATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_KEYWORDS = {"AND", "OR", "NOT", "BETWEEN", "IN"}
_TYPES = {"S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"}
_ORDERABLE: dict[str, Callable[[str], Any]] = {"S": str.encode, "N": Decimal, "B": b64decode}
_SIZES: dict[str, Callable[[Any], int]] = {
    "B": lambda payload: len(b64decode(payload)),
    **dict.fromkeys(("S", "SS", "NS", "BS", "L", "M"), len),
}


class Placeholders:
    """The names and values that the expressions of one request may refer to."""

    def __init__(self, names: Mapping[str, str] | None, values: Item | None) -> None:
        for member, defined in (("Names", names), ("Values", values)):
            if defined is not None and not defined:
                raise invalid(f"ExpressionAttribute{member} must not be empty")
        self.names = names or {}
        self.values = values or {}
        check_item(self.values)
        self.used: set[str] = set()

    def check_all_used(self) -> None:
        """Raise ServiceError if no expression refers to one of them."""
        for member, defined in (("Names", self.names), ("Values", self.values)):
            unused = [each for each in defined if each not in self.used]
            if unused:
                raise invalid(
                    f"Value provided in ExpressionAttribute{member} unused in expressions: keys: "
                    f"{{{', '.join(unused)}}}"
                )


def projection_of(expression: str, placeholders: Placeholders) -> Projection:
    parser = Parser("ProjectionExpression", expression, placeholders)
    paths = [parser.path()]
    while parser.accept(","):
        paths.append(parser.path())
    parser.end()
    return Projection(paths)


def condition_of(kind: str, expression: str, placeholders: Placeholders) -> Predicate:
    """kind: `FilterExpression` or `ConditionExpression`."""
    parser = Parser(kind, expression, placeholders)
    predicate = parser.condition()
    parser.end()
    return predicate


class Parser:
    """Recursive descent, one method a rule; `self.next` is the next token."""

    def __init__(self, kind: str, text: str, placeholders: Placeholders) -> None:
        self.kind = kind
        self._placeholders = placeholders
        if len(text.encode()) > MAX_EXPRESSION_BYTES:
            raise invalid(
                f"Invalid {kind}: Expression size has exceeded the maximum allowed size; "
                f"expression size: {len(text.encode())}"
            )
        self._tokens = self._split(text)
        self.next = next(self._tokens, "")
        if not self.next:
            raise invalid(f"Invalid {kind}: The expression can not be empty;")

    def condition(self) -> Predicate:
        terms = [self._conjunction()]
        while self.accept("OR"):
            terms.append(self._conjunction())
        return terms[0] if len(terms) == 1 else lambda item: any(term(item) for term in terms)

    def path(self) -> Path:
        parts: list[str | int] = [self._name()]
        while self.next in (".", "["):
            if self.accept("."):
                parts.append(self._name())
            else:
                self.expect("[")
                if not self.next.isdigit():
                    raise self.syntax_error()
                parts.append(int(self.advance()))
                self.expect("]")
        return tuple(parts)

    def accept(self, token: str) -> bool:
        if self.next.upper() != token:
            return False
        self.advance()
        return True

    def end(self) -> None:
        if self.next:
            raise self.syntax_error()

    def _conjunction(self) -> Predicate:
        factors = [self._negation()]
        while self.accept("AND"):
            factors.append(self._negation())
        return factors[0] if len(factors) == 1 else lambda item: all(factor(item) for factor in factors)

    def _negation(self) -> Predicate:
        if self.accept("NOT"):
            negated = self._negation()
            return lambda item: not negated(item)
        return self._term()

    def _term(self) -> Predicate:
        if self.accept("("):
            inner = self.condition()
            self.expect(")")
            return inner
        if self.next in _FUNCTIONS:
            return _FUNCTIONS[self.advance()](self)
        left = self._operand()
        if self.accept("BETWEEN"):
            low = self._operand()
            self.expect("AND")
            high = self._operand()
            return lambda item: _holds(">=", left(item), low(item)) and _holds("<=", left(item), high(item))
        if self.accept("IN"):
            members = self._members()
            return lambda item: any(_holds("=", left(item), member(item)) for member in members)
        comparator = self.advance()
        if comparator not in ("=", "<>", *_COMPARATORS):
            raise self.syntax_error(comparator)
        right = self._operand()
        return lambda item: _holds(comparator, left(item), right(item))

    def _members(self) -> list[Operand]:
        self.expect("(")
        members = [self._operand()]
        while self.accept(","):
            members.append(self._operand())
        self.expect(")")
        return members

    def _operand(self) -> Operand:
        if self.next.startswith(":"):
            value = self.value()
            return lambda _: value
        if self.next == "size":
            self.advance()
            (path,) = self.arguments(self.path)
            return lambda item: _size(value_at(item, path))
        path = self.path()
        return lambda item: value_at(item, path)

    def arguments(self, *rules: Callable[[], Any]) -> list[Any]:
        """The arguments of a function, each parsed by its rule."""
        self.expect("(")
        arguments = []
        for number, rule in enumerate(rules):
            if number:
                self.expect(",")
            arguments.append(rule())
        self.expect(")")
        return arguments

    def exists(self) -> Predicate:
        (path,) = self.arguments(self.path)
        return lambda item: value_at(item, path) is not None

    def exists_not(self) -> Predicate:
        exists = self.exists()
        return lambda item: not exists(item)

    def has_type(self) -> Predicate:
        path, wanted = self.arguments(self.path, self.value)
        letter = wanted.get("S")
        if letter not in _TYPES:
            raise invalid(
                f"Invalid {self.kind}: Invalid attribute type name found; type: {letter}, valid types: "
                f"{{{','.join(sorted(_TYPES))}}}"
            )
        return lambda item: letter in (value_at(item, path) or ())

    def begins_with(self) -> Predicate:
        path, beginning = self.arguments(self.path, self._operand)
        return lambda item: _begins_with(value_at(item, path), beginning(item))

    def contains(self) -> Predicate:
        path, member = self.arguments(self.path, self._operand)
        return lambda item: _contains(value_at(item, path), member(item))

    def _name(self) -> str:
        token = self.advance()
        if token.startswith("#"):
            return self._defined(token, self._placeholders.names, "name used in the document path")
        if not re.fullmatch(r"[^\W\d]\w*", token) or token.upper() in _KEYWORDS:
            raise self.syntax_error(token)
        return token

    def value(self) -> Value:
        token = self.advance()
        if not token.startswith(":"):
            raise self.syntax_error(token)
        return self._defined(token, self._placeholders.values, "value used in expression")

    def _defined(self, token: str, placeholders: Mapping[str, Defined], role: str) -> Defined:
        if token not in placeholders:
            raise invalid(
                f"Invalid {self.kind}: An expression attribute {role} is not defined; "
                f"attribute {role.split()[0]}: {token}"
            )
        self._placeholders.used.add(token)
        return placeholders[token]

    def expect(self, token: str) -> None:
        if not self.accept(token):
            raise self.syntax_error()

    def advance(self) -> str:
        token, self.next = self.next, next(self._tokens, "")
        return token

    def _split(self, text: str) -> Iterator[str]:
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None:
                raise self.syntax_error(text[at:].lstrip()[:1])
            yield found[1]
            at = found.end()

    def syntax_error(self, token: str | None = None) -> ServiceError:
        token = (token if token is not None else self.next) or "<EOF>"
        return invalid(f'Invalid {self.kind}: Syntax error; token: "{token}"')


_FUNCTIONS: dict[str, Callable[[Parser], Predicate]] = {
    "attribute_exists": Parser.exists,
    "attribute_not_exists": Parser.exists_not,
    "attribute_type": Parser.has_type,
    "begins_with": Parser.begins_with,
    "contains": Parser.contains,
}


def _holds(comparator: str, left: Value | None, right: Value | None) -> bool:
    if comparator == "<>":
        return not _holds("=", left, right)
    if left is None or right is None:
        return False
    if comparator == "=":
        return bool(_comparable(left) == _comparable(right))
    ((letter, one),), ((other_letter, other),) = left.items(), right.items()
    order = _ORDERABLE.get(letter)
    return letter == other_letter and order is not None and _COMPARATORS[comparator](order(one), order(other))


def _comparable(value: Any) -> Any:
    """An object that is equal for equal values. Numbers and base64 are already canonical."""
    ((letter, payload),) = value.items()
    if letter in ("SS", "NS", "BS"):
        return letter, frozenset(payload)
    if letter == "L":
        return letter, [_comparable(element) for element in payload]
    if letter == "M":
        return letter, {name: _comparable(member) for name, member in payload.items()}
    return letter, payload


def _size(value: Value | None) -> Value | None:
    if value is None:
        return None
    ((letter, payload),) = value.items()
    return {"N": str(_SIZES[letter](payload))} if letter in _SIZES else None


def _begins_with(value: Value | None, beginning: Value | None) -> bool:
    if value is None or beginning is None:
        return False
    if "S" in value and "S" in beginning:
        return bool(value["S"].startswith(beginning["S"]))
    return "B" in value and "B" in beginning and b64decode(value["B"]).startswith(b64decode(beginning["B"]))


def _contains(value: Value | None, member: Value | None) -> bool:
    if value is None or member is None:
        return False
    ((letter, payload),), ((of, wanted),) = value.items(), member.items()
    if letter == "L":
        return any(_comparable(element) == _comparable(member) for element in payload)
    if letter == "B" and of == "B":
        return b64decode(wanted) in b64decode(payload)
    return letter in (of, f"{of}S") and of in ("S", "N", "B") and (letter != "N") and wanted in payload
