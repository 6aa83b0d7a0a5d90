#!/usr/bin/env python3
"""Makes test data to try an import with: see `ddbio.cli.ddbgenerate`, or run it with --help."""

import sys

try:
    from ddbio.cli.start import ddbgenerate
except KeyboardInterrupt:  # before that module is there to obey it
    sys.stderr.write("GenerateTestData.py: error: stopped\n")
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(ddbgenerate())
