"""What a job will need before it begins: items, capacity units, time, memory, disk, and warnings.

They are estimated from samples of what the job would read. Nothing here moves or writes anything.

forecast       the figures, as plain data
preview        the figures with the sentences that announce the job
text           the same as lines for a person
durations      as text
table_sample   some segments of a table, and what they say about all of it
source_sample  some records of an import's files, and what they say about all of them
write_weights  the write units of an item, by table and index
demands        what a job consumes of a table, and the time at the caps in force
needs          processes, memory, disk
hot_keys       the partition key that alone may limit a job
warnings       what a job may run into
prices         by region and rate: the package's own (prices.json), or those of a file
price_list     those that AWS quotes now
costs          of a forecast, at given prices
alternatives   other ways to do the same, with their costs and conditions
cost_table     both, as lines for a person
bill           both, of a plan, at the prices that the user chose
"""
