"""awswrangler: all items of a table, as a list of dicts."""

import awswrangler

items = awswrangler.dynamodb.read_items(table_name="Orders", allow_full_scan=True, as_dataframe=False)
