"""botocore's client with parameter validation off: the quickest that boto3 has."""

import itertools
import json
import sys
from decimal import Decimal

import boto3
from boto3.dynamodb.types import TypeSerializer
from botocore.config import Config

client = boto3.client("dynamodb", config=Config(parameter_validation=False))
typed = TypeSerializer().serialize
with open(sys.argv[1]) as lines:
    items = (json.loads(line, parse_float=Decimal) for line in lines)
    puts = ({"PutRequest": {"Item": {name: typed(value) for name, value in item.items()}}} for item in items)
    while batch := list(itertools.islice(puts, 25)):
        while batch:
            answer = client.batch_write_item(RequestItems={"Orders": batch})
            batch = answer["UnprocessedItems"].get("Orders")
