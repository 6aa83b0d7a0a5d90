"""ddbio from Python: functions that return a result or raise.

calls     the verbs as functions
calling   how a job is run for a caller: errors, Ctrl-C, progress
wording   the messages of commands in terms of parameters
"""
