"""What a job will need before it begins: items, capacity units, time, memory, disk, and warnings.

They are estimated from samples of what the job would read. Nothing here moves or writes anything.

forecast      the figures, as plain data
"""
