"""Where records and items go.

sink             what a lane asks of its sink, and a sink of its lane
table            a table: records become writes, writes become requests
table_writes     what a record does to the table: put, insert, delete
batch            the writes a lane has pending
sender           sends them until the fate of each is known
fast_batch       the usual case of an import: a batch in one go
multi_table      one source into several tables
estimates        what a batch will consume
rejects          the rejects file
reject_kinds     how many rejects each code has, and the first of them
reject_place     where the rejects file goes
segment_files    the files of a segment, and what of them is durable
rows             the records of a table as rows that a format renders
attributes_seen  names and types of attributes
item_count       counts, and nothing else
destination      where an export goes, and what may be there already
stdout           exports to standard output
"""
