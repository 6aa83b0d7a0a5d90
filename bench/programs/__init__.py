"""Programs that use this project's library, for the comparisons: `python bench/programs/NAME.py FILE`."""
