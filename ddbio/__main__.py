"""`python -m ddbio VERB ...`."""

import sys

from ddbio.cli.start import ddbio

if __name__ == "__main__":
    sys.exit(ddbio())
