"""Who works: the seam between a job and what runs it, and the processes behind it.

engine       the seam between a job and what runs it
environment  what the workers of a run share: governors, limits, the checkpoint
inline       the engine of one process, this one
foreman      which worker works which unit, and what becomes of the units of one that died
pool         the engine of many processes: starts, feeds, watches and ends them
pool_worker  what runs in a worker process around its event loop
keyring      the newest AWS keys, to be handed to the workers
lanes        the lanes of a worker, as many as help
"""
