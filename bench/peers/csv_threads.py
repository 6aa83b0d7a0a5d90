"""A CSV loader of threads: the whole file in memory, shuffled, batches of 25, what is unprocessed sent again."""

import csv
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3

WORKERS = 4
resource = boto3.resource("dynamodb")


def load(batch):
    left, attempt = {"Orders": [{"PutRequest": {"Item": row}} for row in batch]}, 0
    while left:
        left = resource.batch_write_item(RequestItems=left)["UnprocessedItems"]
        if left:
            time.sleep(random.random() * 0.05 * 2**attempt)
            attempt += 1


with open(sys.argv[1], newline="") as source:
    rows = list(csv.DictReader(source))
random.shuffle(rows)
with ThreadPoolExecutor(WORKERS) as pool:
    list(pool.map(load, (rows[at : at + 25] for at in range(0, len(rows), 25))))
