#!/usr/bin/env python3
"""Import JSON lines from disk or S3 into a DynamoDB table; `DDBImport.py --help` tells how."""

import sys

try:
    from ddbio.cli.start import ddbimport
except KeyboardInterrupt:  # before that module is there to obey it
    sys.stderr.write("DDBImport.py: error: stopped\n")
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(ddbimport())
