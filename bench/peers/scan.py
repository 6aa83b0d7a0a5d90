"""boto3's scan, a page at a time, and json.dumps: what most scripts do."""

import json
import sys
from decimal import Decimal

import boto3


def plain(value):
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return list(value)  # a set


table = boto3.resource("dynamodb").Table("Orders")
with open(sys.argv[1], "w") as out:
    page = table.scan()
    while True:
        for item in page["Items"]:
            out.write(json.dumps(item, default=plain) + "\n")
        if "LastEvaluatedKey" not in page:
            break
        page = table.scan(ExclusiveStartKey=page["LastEvaluatedKey"])
