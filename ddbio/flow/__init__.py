"""The flow of one unit of work through a lane, from its source to its sink.

context      the environment that an engine supplies to a worker's lanes
sleeping     the sleep of lanes, which a stop ends
checkpoint   the settled position of each lane, in memory that outlives its process
lane         the one lane: records from a source, through the steps, to a sink
settlement   counts, settles, records and reports the progress of a unit
import_job   slices of files into a table
put_job      items of a Python program into a table
export_job   segments of a table into files
scan_job     a scan whose items go to the parent or to disk: the jobs below
spill_job    a side of a comparison to disk
compare_job  spilled sides into their differences
count_job    segments of a table, counted
inspect_job  segments of a table, profiled
sql_job      the items of a table or of files, for a query
items_job    the items of a table for a program
find_job     the first items of a table, in order
copy_job     segments of a table into another table
edit_job     segments of a table, deleted or updated
"""
