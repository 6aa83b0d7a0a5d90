"""boto3's batch_writer: what its guide shows."""

import json
import sys
from decimal import Decimal

import boto3

table = boto3.resource("dynamodb").Table("Orders")
with open(sys.argv[1]) as lines, table.batch_writer() as batch:
    for line in lines:
        item = json.loads(line, parse_float=Decimal)
        if "tags" in item:
            item["tags"] = set(item["tags"]["$SS"])
        batch.put_item(Item=item)
