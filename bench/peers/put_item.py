"""A put_item for each line."""

import json
import sys
from decimal import Decimal

import boto3

table = boto3.resource("dynamodb").Table("Orders")
with open(sys.argv[1]) as lines:
    for line in lines:
        table.put_item(Item=json.loads(line, parse_float=Decimal))
