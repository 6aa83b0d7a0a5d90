"""What people use today, each in a few lines, as its own users would write it.

Each is a script: `python bench/peers/NAME.py FILE`. The endpoint, the region and the keys come from the environment;
the table is `Orders`. They run in the peers' environment (`bench.environment`) and know nothing of this project.
"""
