"""What happens to items between a source and a sink.

transform     renames, drops, sets, and the function of the user
limit         a number of items for all lanes of all processes
reject_limit  how many rejects there may be, for all workers together
"""
