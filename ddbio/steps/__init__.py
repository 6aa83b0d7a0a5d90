"""The steps that items pass between a source and a sink.

records       the seam between sources and sinks: records in each of their forms
transform     renames, drops, sets, and the user's function
limit         `--limit`, shared by the lanes of all processes
reject_limit  `--max-errors`, shared by all workers
"""
