"""The data that is moved: items, keys, tables. No I/O.

items       attribute maps, and every rule for a valid item
keys        the identity of an item, and every rule for a valid key
table       a table according to its description: keys, indexes, capacity
capacity    sizes and capacity units
equality    whether two items are equal to DynamoDB
digest      digests of items and keys, equal if they are
sampling    a total estimated from a sample of segments, with its interval
profile     sizes, attributes, keys and index entries of items, summed up
heavy_hitters  the heaviest keys of a stream, in bounded memory
query       which attributes a query needs
ordering    the order of items by an attribute, and the first N of them
distribution  a number over the segments of a table: histogram and skew
names       the names of attributes after `--rename` and its like
python_rows  pages of a table as dicts of Python values
python_values  attribute values as Python values, and back
"""
