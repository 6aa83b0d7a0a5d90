"""Engines run jobs: the seam between a job and its engine, and the engines there are.

engine       the seam between a job and what runs it
environment  shared by the workers of a run: governors, limits, the checkpoint
inline       the engine of one process, this one
foreman      which worker works which unit, and where the units of a dead worker go
pool         the engine of many processes: starts, feeds, watches and ends them
pool_worker  what runs in a worker process around its event loop
keyring      the newest AWS keys, to be handed to the workers
lanes        the lanes of a worker, as many as help
"""
