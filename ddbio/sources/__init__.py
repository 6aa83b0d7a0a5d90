"""Sources of records and items, and how they are cut into units of work.

find             finds the files to import, and their order
increments       finds the incremental exports whose changes are to be undone
manifest_check   compares exports by this program with their manifests
export_check     verifies an export on its own, to its last difference
completeness     whether sources have all items of a table, with all attributes
detect           detects the format of each file
heads            the beginning of a file, for the detection of its format
cutting          cuts files into units
plan             the units of a job, and the remainder after earlier runs
prefetch         prefetches an iterable in a background thread
stream           streams that the parent reads for the workers: large compressed files, standard input
source           the interface of a lane's source
slices           slices of files as a source
memory           items of a Python program as a source
scan             segments of a table as a source
raw_page         a page of a scan that is not decoded
page_size        the page size of a scan, and whether the scan ends
lines            the unread records of a slice
row_run          the unread rows of a slice: Parquet, Avro
reader           reads the slices of files
blocks           makes blocks of whole records
document_blocks  the same for JSON that is not one object a line
record_places    the positions of the records of such a file
unpacking        decompresses gzip and zstd, and verifies a file against its manifest
suspects         the differences between two spilled sides
table_items      items of a table by their keys
segments         cuts a table into segments
subset           the part of a table to export
expressions      filters and projections, as DynamoDB expressions
"""
