"""Measurements of ddbio: what must be true of its speed and of its caps, with the command that repeats each.

python -m bench.governor            the cap, seen from the server's side
python -m bench.chaos               what survives when everything dies
"""
