"""Which attributes a query can need, from its tree as DuckDB serializes it. Pure."""

from __future__ import annotations

import json
from typing import Any

_PLAIN_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE"}
_BY_TEXT = {"query", "query_table"}  # functions whose arguments name tables and columns
_PLAIN_TABLES = {"BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY", "EMPTY_FROM", "CROSS_PRODUCT"}


def attributes_of(tree: str, table: str) -> list[str] | None:
    """The names that may be attributes, in order of their appearance; None if the query may need all.

    It names too many rather than too few: aliases are among them. table: its name; a query that names a whole row,
    as in `SELECT t FROM t`, needs all.
    """
    parsed = json.loads(tree)
    if parsed.get("error", True):
        return None
    found = _Names({"t", table.lower()})
    found.walk(parsed)
    return None if found.all else list(found.names)


class _Names:
    """tables: names and aliases of tables, in lower case."""

    def __init__(self, tables: set[str]) -> None:
        self.names: dict[str, None] = {}
        self.all = False
        self._tables = tables
        self._paths: list[list[str]] = []  # `x.y`, where x is a table, or an attribute with a field y

    def walk(self, tree: Any) -> None:
        self._visit(tree)
        for path in self._paths:
            if path[-1].lower() in self._tables:  # a whole row, also as `main.t`
                self.all = True
            else:
                self.names.update(dict.fromkeys(path[path[0].lower() in self._tables :]))

    def _visit(self, node: Any) -> None:
        if isinstance(node, list):
            for each in node:
                self._visit(each)
        elif isinstance(node, dict):
            self._look_at(node)
            for each in node.values():
                self._visit(each)

    def _look_at(self, node: dict[str, Any]) -> None:
        kind = node.get("type")
        if node.get("class") == "STAR" or node.get("ref_type") == "NATURAL":
            self.all = True
        if isinstance(node.get("select_list"), list) and kind not in _PLAIN_NODES:
            self.all = True
        if "table_name" in node and kind is not None and kind not in _PLAIN_TABLES:
            self.all = True
        if kind == "BASE_TABLE" and node.get("column_name_alias"):  # `t AS u(x)` names columns by their position
            self.all = True
        if kind == "TABLE_FUNCTION" and node["function"]["function_name"] in _BY_TEXT:
            self.all = True
        if node.get("alias") and kind in _PLAIN_TABLES:
            self._tables.add(str(node["alias"]).lower())
        if node.get("class") == "COLUMN_REF":
            self._paths.append([str(name) for name in node["column_names"]])
        self._paths += [[str(name)] for name in node.get("using_columns") or ()]
