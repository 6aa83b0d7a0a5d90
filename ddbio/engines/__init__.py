"""Engines run jobs: the interface between a job and its engine, and all engines.

engine       the interface between a job and the engine that runs it
choice       the engine for a number of workers
environment  shared by the workers of a run: governors, limits, the checkpoint
inline       the engine of one process, this one
share        the same at an equal part of the caps, which calls elsewhere share
foreman      assigns units to workers, and reassigns those of a dead worker
pool         the engine of many processes: starts, feeds, watches and ends them
process      a fresh Python process, with a pipe to it
pool_worker  what a worker process does: its pipe, signals and event loop
unit_queue   the units that a worker has in hand
keyring      the newest AWS keys, to be handed to the workers
lanes        the lanes of a worker, as many as help
"""
