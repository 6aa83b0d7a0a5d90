"""What a lane does with one unit of work, from its source to its sink.

context      what an engine supplies to a worker's lanes
sleeping     their sleep, which a stop ends
checkpoint   what each lane has settled, in memory that outlives its process
import_job   what every worker of an import must know, and what its lanes share
import_lane  records become batches, batches are sent
position     how far a lane is in its unit, and what was counted up to there
export_lane  pages of a segment become lines of files
"""
