"""awswrangler: a list of items."""

import json
import sys
from decimal import Decimal

import awswrangler

with open(sys.argv[1]) as lines:
    items = [json.loads(line, parse_float=Decimal) for line in lines]
if items:
    awswrangler.dynamodb.put_items(items=items, table_name="Orders")
