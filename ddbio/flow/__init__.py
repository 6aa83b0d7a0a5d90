"""What a lane does with one unit of work, from its source to its sink.

context      what an engine supplies to a worker's lanes
sleeping     their sleep, which a stop ends
checkpoint   what each lane has settled, in memory that outlives its process
lane         the one lane: records from a source, through the steps, to a sink
settlement   what of a unit is counted, settled, recorded and reported
import_job   slices of files into a table
export_job   segments of a table into files
count_job    segments of a table, counted
"""
