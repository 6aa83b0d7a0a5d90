"""A list of items, as `bench/peers/wrangler.py` has it."""

import marshal
import sys
from pathlib import Path

from ddbio import put_items

put_items("Orders", marshal.loads(Path(sys.argv[1]).read_bytes()), processes=1)
