"""Test data a line at a time: uuid4 and `%`. `generate.py FILE COUNT`."""

import random
import sys
from uuid import uuid4

with open(sys.argv[1], "w") as out:
    for _ in range(int(sys.argv[2])):
        values = (uuid4(), uuid4(), random.randrange(2**31), uuid4())
        out.write('{"hash": "%s", "range": "%s", "val_1": %d, "val_2": "%s"}\n' % values)
