"""The mutations that are tried: cosmic-ray's that make a plausible mistake, and two of our own on effects.

cosmic-ray replaces every operator by every other; most of those programs do not run at all, and cost the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.operators.provider import OperatorProvider

_OF_COSMIC_RAY = (
    *("ReplaceBinaryOperator_Add_Sub", "ReplaceBinaryOperator_Sub_Add", "ReplaceBinaryOperator_Mul_FloorDiv"),
    *("ReplaceBinaryOperator_FloorDiv_Mul", "ReplaceBinaryOperator_Div_Mul", "ReplaceBinaryOperator_BitXor_BitOr"),
    *("ReplaceComparisonOperator_Eq_NotEq", "ReplaceComparisonOperator_NotEq_Eq"),
    *("ReplaceComparisonOperator_Lt_LtE", "ReplaceComparisonOperator_LtE_Lt"),
    *("ReplaceComparisonOperator_Gt_GtE", "ReplaceComparisonOperator_GtE_Gt"),
    *("ReplaceComparisonOperator_Is_IsNot", "ReplaceComparisonOperator_IsNot_Is"),
    *("ReplaceUnaryOperator_Delete_Not", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "AddNot"),
    *("ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak"),
    *("NumberReplacer", "ZeroIterationForLoop"),
)

Positions = Iterator[tuple[tuple[int, int], tuple[int, int]]]


def _kind(node: Any) -> str:
    """Of a line: `field` of a class, `call`, `change` (`+=`), `store` (into an attribute or element), or nothing."""
    if node.type != "simple_stmt":
        return ""
    statement = node.children[0]
    if statement.type in ("atom_expr", "await_expr"):
        return "call"
    if statement.type != "expr_stmt":
        return ""
    target, operator = statement.children[0], statement.children[1]
    if operator.type == "annassign":
        return "field" if target.type == "name" else "store"
    if operator.value != "=":
        return "change"
    return "store" if target.type == "atom_expr" else ""


def _type(field: Any) -> str:
    return str(field.children[0].children[1].children[1].get_code().strip())


def _is_declared(node: Any) -> bool:
    """Whether it is part of a decorator, the head of a class, or the call of `field`: how, not what."""
    inner, parent = node, node.parent
    while parent is not None:
        if parent.type == "decorator" or (parent.type == "classdef" and inner is not parent.children[-1]):
            return True
        if parent.type == "atom_expr" and parent.get_first_leaf().value == "field":
            return True
        inner, parent = parent, parent.parent
    return False


def _of_code(operator: type[Operator]) -> type[Operator]:
    """A mutation of cosmic-ray's that leaves declarations as they are."""

    class OfCode(operator):  # type: ignore[misc, valid-type]
        def mutation_positions(self, node: Any) -> Positions:
            if not _is_declared(node):
                yield from super().mutation_positions(node)

    return OfCode


class RemoveEffect(Operator):  # type: ignore[misc]
    """Leave out a statement that has an effect."""

    def mutation_positions(self, node: Any) -> Positions:
        if _kind(node) in ("call", "change", "store"):
            yield node.children[0].start_pos, node.children[0].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        node.children[0] = parso.python.tree.Keyword("pass", node.children[0].start_pos, node.get_first_leaf().prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("a.b(c)\n", "pass\n"),)


class SwapEffects(Operator):  # type: ignore[misc]
    """Swap two adjoining statements that have effects, or two adjoining fields of the same type."""

    def mutation_positions(self, node: Any) -> Positions:
        for at in self._pairs(node):
            yield node.children[at].start_pos, node.children[at + 1].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        at = list(self._pairs(node))[index]
        first, second = node.children[at], node.children[at + 1]
        first_leaf, second_leaf = first.get_first_leaf(), second.get_first_leaf()
        first_leaf.prefix, second_leaf.prefix = second_leaf.prefix, first_leaf.prefix
        node.children[at], node.children[at + 1] = second, first
        return node

    @staticmethod
    def _pairs(node: Any) -> Iterator[int]:
        lines = node.children if node.type in ("suite", "file_input") else []
        for at in range(len(lines) - 1):
            first, second = lines[at], lines[at + 1]
            kinds = {_kind(first), _kind(second)}
            if kinds <= {"call", "change"} or (kinds == {"field"} and _type(first) == _type(second)):
                yield at

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("a()\nb()\n", "b()\na()\n"),)


_OURS = {each.__name__: each for each in (RemoveEffect, SwapEffects)}


class Mutations:
    """A provider of operators, as cosmic-ray's plugins are."""

    def __iter__(self) -> Iterator[str]:
        return iter((*_OURS, *_OF_COSMIC_RAY))

    def __getitem__(self, name: str) -> type[Operator]:
        found: type[Operator] = _OURS[name] if name in _OURS else _of_code(OperatorProvider()[name])
        return found
