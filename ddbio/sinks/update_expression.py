"""UpdateExpressions: parsed, and judged before they change thousands of items. Pure.

    one of each clause  SET path = value, ...   REMOVE path, ...   ADD path :v, ...   DELETE path :v, ...
    value               operand [+ operand | - operand]
    operand             path | :v | if_not_exists(path, operand) | list_append(operand, operand)

A run may be killed between an update and its account, and resumed; an answer may be lost, and the request sent again.
So an update must be *repeatable*: applied twice, it leaves the item as after the first time
(`Update.why_not_repeatable`). Parsed actions also say which items need them (`Update.needed`), and whether an item is
as they leave it (`ddbio.sinks.updated`).

Names are replaced by placeholders (`ddbio.sources.expressions`), so that no reserved word matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ddbio.errors import UsageError
from ddbio.sources.expressions import Placeholders
from ddbio.values.items import AttributeMap

Path = tuple["str | int", ...]  # names, and indexes of lists

SET, REMOVE, ADD, DELETE = "SET", "REMOVE", "ADD", "DELETE"
CLAUSES = (SET, REMOVE, ADD, DELETE)
IF_NOT_EXISTS, LIST_APPEND = "if_not_exists", "list_append"
_SETS = ("SS", "NS", "BS")
_TOKEN = re.compile(r"\s*(#\w+|:\w+|[0-9]+|[^\W\d]\w*|[=(),.\[\]+-])")
_GRAMMAR = "write it as DynamoDB does: SET a = :v, b = b + :n, c = if_not_exists(c, :v) REMOVE d"
_BY_HAND = "DynamoDB only adds and subtracts: use --transform for anything else"


@dataclass(frozen=True, slots=True)
class Value:
    """A value of `--values`. mark: with its colon."""

    mark: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """The value of an attribute of the item."""

    path: Path


@dataclass(frozen=True, slots=True)
class Call:
    """A function, or `+` and `-`, of two operands."""

    name: str
    first: Operand
    second: Operand


Operand = Value | Attribute | Call


@dataclass(frozen=True, slots=True)
class Action:
    """One change. text: the path with placeholders. value: None for REMOVE."""

    clause: str
    path: Path
    text: str
    value: Operand | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """An UpdateExpression with placeholders, and its parts; picklable. values: by mark."""

    expression: str
    actions: tuple[Action, ...]
    values: AttributeMap

    def names(self) -> list[str]:
        """The attributes that it changes."""
        return list(dict.fromkeys(str(action.path[0]) for action in self.actions))

    def why_not_repeatable(self) -> str:
        """Why an item might be different if the update were applied twice; empty if it cannot be."""
        return next(filter(None, (self._why_not(action) for action in self.actions)), "")

    def _why_not(self, action: Action) -> str:
        shown = shown_path(action.path)
        if isinstance(action.path[-1], int):
            return f"{shown} is an element of a list, which another one may follow"
        if action.clause == ADD and not self._adds_to_set(action):
            return f"ADD to {shown} adds again"
        if action.value is None or action.clause != SET:
            return ""
        own = _is_default(action)
        for read in paths_of(action.value):
            if (own and read == action.path) or self._moved(action, read):
                continue
            if any(_overlap(read, other.path) for other in self.actions):
                return f"{shown} is computed from {shown_path(read)}, which the update changes"
        return ""

    def _adds_to_set(self, action: Action) -> bool:
        value = action.value
        return isinstance(value, Value) and any(letter in _SETS for letter in self.values[value.mark])

    def _moved(self, action: Action, read: Path) -> bool:
        """Whether `SET new = old REMOVE old` renames an attribute: it is then gone, and the item needs no update."""
        removed = any(other.clause == REMOVE and other.path == read for other in self.actions)
        return action.value == Attribute(read) and removed and not _overlap(read, action.path)

    def needed(self, text_of: Placeholders) -> str:
        """An expression that holds for all items that the update would change; empty if that may be any item.

        text_of: gives the placeholders of paths.
        """
        moved = [f"attribute_exists({_text(_read(each), text_of)})" for each in self.actions if self.moves(each)]
        needs = [_needed(action) for action in self.actions if not self.moves(action)]
        if all(needs):  # an item that needs only a part of the update is not left out: the service rejects it
            return " OR ".join(dict.fromkeys([*moved, *needs]))
        # Whether an item without what is moved was updated before, or never can be, is unknown.
        return " AND ".join(dict.fromkeys(moved))

    def moves(self, action: Action) -> bool:
        """Whether the action sets an attribute to one that the update removes."""
        return isinstance(action.value, Attribute) and self._moved(action, action.value.path)


def parse_update(text: str, placeholders: Placeholders, option: str = "--update-expression") -> Update:
    """The update that an UpdateExpression asks for. Raises UsageError with the reason if it cannot be one."""
    return _Parser(list(_tokens(text, option)), placeholders, option).update()


def shown_path(path: Path) -> str:
    """A path as a user writes it: a.b[0]."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def paths_of(operand: Operand) -> Iterator[Path]:
    """All attributes that an operand reads."""
    if isinstance(operand, Attribute):
        yield operand.path
    elif isinstance(operand, Call):
        yield from paths_of(operand.first)
        yield from paths_of(operand.second)


def _is_default(action: Action) -> bool:
    """Whether it is `a = if_not_exists(a, ...)`, which changes nothing the second time."""
    value = action.value
    return isinstance(value, Call) and value.name == IF_NOT_EXISTS and value.first == Attribute(action.path)


def _read(action: Action) -> Path:
    assert isinstance(action.value, Attribute)
    return action.value.path


def _needed(action: Action) -> str:
    """An expression that holds for items that this action would change; empty if unknown."""
    if action.clause == REMOVE:
        return f"attribute_exists({action.text})"
    if action.clause == SET and isinstance(action.value, Value):
        return f"attribute_not_exists({action.text}) OR {action.text} <> {action.value.mark}"
    return f"attribute_not_exists({action.text})" if _is_default(action) else ""


def _text(path: Path, placeholders: Placeholders) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{placeholders.mark_of(part)}" for part in path]
    return "".join(parts).removeprefix(".")


def _overlap(left: Path, right: Path) -> bool:
    """Whether one is the other, or a part of it."""
    shorter = min(len(left), len(right))
    return left[:shorter] == right[:shorter]


def _tokens(text: str, option: str) -> Iterator[str]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            sign = text[at:].lstrip()[0]
            if sign in "*/":
                raise UsageError(f"{option} has {sign!r}, which an UpdateExpression has not", _BY_HAND)
            if sign in "'\"":
                raise UsageError(
                    f"{option} has a quote: values cannot be part of an expression",
                    'write :name instead, and --values \'{"name": "text"}\'',
                )
            raise UsageError(
                f"{option} has {sign!r}, which cannot be part of a name without a #",
                'write #short, and define it with --names \'{"short": "the whole name"}\'',
            )
        yield found[1]
        at = found.end()


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, tokens: list[str], placeholders: Placeholders, option: str) -> None:
        self._tokens = [*tokens, ""]
        self._at = 0
        self._placeholders = placeholders
        self._option = option
        self._out: list[str] = []

    def update(self) -> Update:
        actions: list[Action] = []
        seen: set[str] = set()
        while self._next:
            clause = self._next.upper()
            if clause not in CLAUSES:
                raise self._unexpected("one of SET, REMOVE, ADD and DELETE")
            if clause in seen:
                raise UsageError(f"{self._option} has {clause} twice", "write all of its changes after one of them")
            seen.add(clause)
            self._take(shown=clause)
            actions.append(self._action(clause))
            while self._next == ",":
                self._take()
                actions.append(self._action(clause))
        if not actions:
            raise UsageError(f"{self._option} changes nothing", _GRAMMAR)
        for number, action in enumerate(actions):
            if any(_overlap(action.path, other.path) for other in actions[:number]):
                raise UsageError(f"{self._option} changes {shown_path(action.path)} twice", "change it once")
        return Update(" ".join(self._out), tuple(actions), self._used())

    def _used(self) -> AttributeMap:
        values = self._placeholders.values
        return {mark: values[mark[1:]] for mark in self._out if mark.startswith(":")}

    @property
    def _next(self) -> str:
        return self._tokens[self._at]

    def _take(self, *, shown: str | None = None) -> str:
        token = self._next
        self._out.append(token if shown is None else shown)
        self._at += 1
        return token

    def _expect(self, sign: str) -> None:
        if self._next != sign:
            raise self._unexpected(repr(sign))
        self._take()

    def _unexpected(self, wanted: str) -> UsageError:
        found = f"has {self._next!r}" if self._next else "ends"
        return UsageError(f"{self._option} {found} where {wanted} should be", _GRAMMAR)

    def _action(self, clause: str) -> Action:
        began = len(self._out)
        path = self._path()
        text = "".join(self._out[began:])
        if clause == SET:
            self._expect("=")
            return Action(clause, path, text, self._value())
        if clause == REMOVE:
            return Action(clause, path, text)
        if not self._next.startswith(":"):
            raise self._unexpected("a :value")
        return Action(clause, path, text, self._operand())

    def _value(self) -> Operand:
        first = self._operand()
        if self._next not in ("+", "-"):
            return first
        sign = self._take()
        return Call(sign, first, self._operand())

    def _operand(self) -> Operand:
        token = self._next
        if token == "(":
            self._take()
            inside = self._value()
            self._expect(")")
            return inside
        if token.startswith(":"):
            self._take(shown=self._placeholders.of_value(token, self._option))
            return Value(token)
        if self._tokens[self._at + 1 : self._at + 2] == ["("]:
            return self._call()
        return Attribute(self._path())

    def _call(self) -> Call:
        if self._next not in (IF_NOT_EXISTS, LIST_APPEND):
            raise UsageError(
                f"{self._option}: there is no function {self._next}", f"there are {IF_NOT_EXISTS} and {LIST_APPEND}"
            )
        name = self._take()
        self._expect("(")
        first: Operand = Attribute(self._path()) if name == IF_NOT_EXISTS else self._operand()
        self._expect(",")
        second = self._operand()
        self._expect(")")
        return Call(name, first, second)

    def _path(self) -> Path:
        parts: list[str | int] = [self._name()]
        while self._next in (".", "["):
            if self._take() == ".":
                parts.append(self._name())
                continue
            if not self._next.isdigit():
                raise self._unexpected("the index of a list")
            parts.append(int(self._take()))
            self._expect("]")
        return tuple(parts)

    def _name(self) -> str:
        token = self._next
        if not re.fullmatch(r"#\w+|[^\W\d]\w*", token):
            digits = f"; write :name instead, and --values '{{\"name\": {token}}}'" if token.isdigit() else ""
            raise UsageError(f"{self._unexpected('the name of an attribute').message}{digits}", _GRAMMAR)
        mark = self._placeholders.of_name(token)
        self._take(shown=mark)
        return self._placeholders.names[mark]
