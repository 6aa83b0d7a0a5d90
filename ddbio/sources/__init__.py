"""Where records and items come from, and how they are cut into units of work.

find             what is imported, and in which order
manifest_check   own exports as sources, compared with their manifests
detect           which format each file has, and what its head says
heads            the beginning of a file, as much as its format needs to be detected
cutting          cuts files into units
plan             the units of a job, and what is left of them
prefetch         prefetches an iterable in a background thread
stream           what the parent reads for the workers: large compressed files, standard input
source           the protocol of a source
slices           slices of files as a source
scan             segments of a table as a source
page_size        how large the pages of a scan are, and whether it ends
lines            the records of a slice that were read and not yet taken
row_run          the same of rows: Parquet, Avro
reader           reads the slices of files
blocks           finds the ends of records in what was read
document_blocks  the same for JSON that is not one object a line
record_places    where the records of such a file are in it
unpacking        gzip and zstd on the way in, and whether a file is what its manifest says
segments         cuts a table into segments
subset           which part of a table an export takes
expressions      filters and projections, as DynamoDB expressions
"""
