"""Destinations of records and items.

sink             the interfaces between a lane and its sink
table            a table: records become writes, writes become requests
table_writes     the write modes: put, insert, delete, changes
conditional_changes  changes of items that still are as they were compared
conditional_deletes  deletes of items that still match, or still are as they were saved
reverts          changes undone, if the items still are what the changes made of them
updates          updates by an expression, or by a function of the user
update_expression  parses an UpdateExpression, and judges whether it can be repeated
updated          whether an item is as an update leaves it
batch            the pending writes of a lane
sender           sends them until the fate of each is known
fast_batch       the fast path of an import: a whole batch at once
item_batches     the fast path of a copy: items that are not decoded
multi_table      one source into several tables
estimates        estimates the capacity that a batch will consume
rejects          the rejects file
reject_kinds     the number of rejects by code, and the first of each
reject_place     chooses the location of the rejects file
segment_files    the files of a segment, and which bytes are durable
rows             the records of a table as rows that a format renders
attributes_seen  collects names and types of attributes
item_count       only counts
spill            the digests of items, on disk
difference_lines  the differences between two sides, as lines
page_file        a file of pages that the parent writes
profile_items    profiles the items of a table
arrow_pages      items as Arrow batches
query_table      a DuckDB table of items
query_output     the rows of a query as text, CSV, JSON or Parquet
item_pages       pages of items for a program
first_items      keeps the first items of an order
destination      the location of an export, and the files it may contain
stdout           exports to standard output
"""
