"""What only an import needs: from the bytes of a source to the items of a table, in the order of the way.

sources       what is imported, and in which order
held          own exports as sources, held to their manifests
recognition   which format each file has, and what its head says
feed          what the parent reads for the workers: large compressed files, standard input
ahead         makes what an iterable gives in a thread of its own
reader        reads the slices of files
blocks        where the records end in what was read
document_blocks   the same for JSON that is not one object a line
places        where the records of such a file stand in it
heads         the beginning of a file, as much as its format needs to be recognised
unpacking     gzip and zstd on the way in, and whether a file is what its manifest says
blueprint     the table that an import makes where there is none
job           what every worker must know, and what its lanes share
writer        records become batches, batches are sent
position      how far a lane is in its unit
modes         what a record does to the table: put, insert, delete
small_puts    the usual case of an import, a batch in one go
spread        one source into several tables
batch         what waits to be written by a lane
estimates     what a batch will consume
rejects       the rejects file
reject_kinds  how many rejects each code has, and the first of them
reject_limit  how many there may be, for all workers together
reject_place  where it goes
"""
