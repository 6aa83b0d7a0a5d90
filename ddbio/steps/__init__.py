"""The steps that items pass between a source and a sink.

records       the seam between sources and sinks: records in each of their forms
transform     renames, drops, sets, and the user's function
planned_update  the changes that the user's function makes of an item
item_sizes    the sizes of the items, by a sample
limit         `--limit`, shared by the lanes of all processes
reject_limit  `--max-errors`, shared by all workers
"""
