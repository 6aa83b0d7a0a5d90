"""What is moved, without any I/O.

items       attribute maps, and every rule for a valid item
keys        what is a valid key of a table, and what makes two items the same
table       a table as its description says: keys, indexes, capacity
capacity    sizes and capacity units
row_schema  what items of one table have in common, so that they can be decoded faster
equality    whether two items are the same to DynamoDB
names       the names of attributes after `--rename` and its like
"""
