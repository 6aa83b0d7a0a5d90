"""The commands: argv to options, results to text, errors to one line and an exit code."""

import sys

if sys.argv[:1] == ["-m"]:  # `python -m ddbio.cli...` is still locating the module
    from ddbio.cli.start import obey_at_once

    obey_at_once()
