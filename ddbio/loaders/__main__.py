"""`python -m ddbio.loaders --csv FILE --table TABLE ...`."""

import sys

from ddbio.cli.start import loaders

if __name__ == "__main__":
    sys.exit(loaders())
