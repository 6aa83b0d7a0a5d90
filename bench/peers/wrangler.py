"""awswrangler: a list of items."""

import marshal
import sys

import awswrangler

with open(sys.argv[1], "rb") as file:
    items = marshal.load(file)
if items:
    awswrangler.dynamodb.put_items(items=items, table_name="Orders")
