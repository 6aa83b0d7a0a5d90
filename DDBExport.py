#!/usr/bin/env python3
"""Export a DynamoDB table to disk or S3; `DDBExport.py --help` tells how."""

import sys

try:
    from ddbio.cli.start import ddbexport
except KeyboardInterrupt:  # before that module is there to obey it
    sys.stderr.write("DDBExport.py: error: stopped\n")
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(ddbexport())
