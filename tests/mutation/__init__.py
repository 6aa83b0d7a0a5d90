"""A mutation run over the modules that keep the books: `scripts/mutate`, docs/testing.md.

It needs cosmic-ray, which scripts/mutate installs into an environment of its own.
"""
