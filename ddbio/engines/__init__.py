"""Who works: the seam between a job and what runs it, and the processes behind it.

engine       the seam between a job and what runs it; the engine of one process
pool         the engine of many processes: starts, feeds, watches and ends them
pool_worker  what runs in a worker process around its event loop
lanes        the lanes of a worker, as many as help
"""
