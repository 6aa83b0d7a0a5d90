"""What happens to items between a source and a sink.

records       the seam between sources and sinks: records in every form that they have
transform     renames, drops, sets, and the function of the user
limit         a number of items for all lanes of all processes
reject_limit  how many rejects there may be, for all workers together
"""
