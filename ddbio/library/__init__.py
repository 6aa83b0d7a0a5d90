"""ddbio from Python: functions that return a result or raise.

calls     the verbs as functions
items     items of a program into a table, and back
frames    DataFrames and Arrow data as items
aio       the same for programs with an event loop
calling   how a job is run for a caller: errors, Ctrl-C, progress
wording   the messages of commands in terms of parameters
"""
