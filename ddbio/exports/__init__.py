"""What only an export needs: from the pages of a table to the files of a destination.

destination    where an export goes, and what may be there already
scanner        pages of a segment become lines of files
segment_files  the files of a segment, and what of them is durable
subset         which part of a table an export takes
expressions    what a user writes for it, as DynamoDB expressions
quota          a number of items for all lanes of all processes
columns        which columns the files of an export have
survey         what attributes a table has
compression    gzip and zstd
native_out     an export in the layout of DynamoDB's own
page_stream    exports to standard output
"""
