"""Measurements of ddbio: what must be true of its speed, with the command that repeats each.

python -m bench [CASE ...]          this project and its peers side by side
python -m bench.against FOLDER      another checkout of this project, on the same jobs in turns
python -m bench.core                  the native core against the Python code, on encoding alone
python -m bench.packing             compression of exported pages
python -m bench.documents           JSON in documents: arrays and nested objects
"""
