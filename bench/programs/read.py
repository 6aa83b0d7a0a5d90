"""All items of a table, as a list of dicts."""

from ddbio import scan

items = list(scan("Orders", processes=1))
