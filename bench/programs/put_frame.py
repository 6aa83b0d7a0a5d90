"""A frame, as `bench/peers/wrangler_df.py` has it."""

import sys
from pathlib import Path

from pyarrow import json

from ddbio import put_items

source = Path(sys.argv[1])
options = json.ReadOptions(use_threads=False)
frame = json.read_json(source, read_options=options) if source.stat().st_size else []
put_items("Orders", frame, processes=1)
