"""A list of items, as `bench/peers/wrangler.py` has it."""

import json
import sys
from decimal import Decimal
from pathlib import Path

from ddbio import put_items

with Path(sys.argv[1]).open() as lines:
    items = [json.loads(line, parse_float=Decimal) for line in lines]
put_items("Orders", items, processes=1)
