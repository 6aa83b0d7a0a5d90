"""awswrangler: a DataFrame."""

import sys

import awswrangler
import pandas

frame = pandas.read_json(sys.argv[1], lines=True)
if len(frame):
    awswrangler.dynamodb.put_df(frame, table_name="Orders")
