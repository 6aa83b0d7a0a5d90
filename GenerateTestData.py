#!/usr/bin/env python3
"""Makes test data to try an import with: see `ddbio.cli.ddbgenerate`, or run it with --help."""

import sys

from ddbio.cli.ddbgenerate import main

if __name__ == "__main__":
    sys.exit(main())
