"""What a job will need before it begins: items, capacity units, time, memory, disk, and warnings.

They are estimated from samples of what the job would read. Nothing here moves or writes anything.

forecast      the figures, as plain data
prices        by region and rate: the package's own (prices.json), or those of a file
price_list    those that AWS quotes now
costs         of a forecast, at given prices
alternatives  other ways to do the same, with their costs and conditions
cost_table    both, as lines for a person
"""
