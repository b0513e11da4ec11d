"""The version, in a module that imports nothing, so that ``--version`` answers at once."""

__version__ = "0.1.0"
