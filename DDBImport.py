#!/usr/bin/env python3
"""Import JSON lines from disk or S3 into a DynamoDB table; `DDBImport.py --help` tells how."""

import sys

from ddbio.cli.ddbimport import main

if __name__ == "__main__":
    sys.exit(main())
