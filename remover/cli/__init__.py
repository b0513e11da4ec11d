"""The command line: parse, call, print; it adds nothing to the Python interface."""
