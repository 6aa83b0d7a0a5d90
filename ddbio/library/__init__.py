"""ddbio from Python: functions that return a result or raise.

calls        the verbs as functions
items        items of a program into a table, and back
arrow        items of a table as Arrow data
arrow_types  the types of that data, found or given
frames       DataFrames and Arrow data as items
streams      what a job hands over while it runs
calling      how a job is run for a caller: errors, Ctrl-C, progress
loading      the modules of the library, loaded without holding an event loop
wording      the messages of commands in terms of parameters
"""
