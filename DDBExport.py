#!/usr/bin/env python3
"""Export a DynamoDB table to disk or S3; `DDBExport.py --help` tells how."""

import sys

from ddbio.cli.ddbexport import main

if __name__ == "__main__":
    sys.exit(main())
