"""The version, for every layer to import without the public door above them all."""

__version__ = "0.1.0"
