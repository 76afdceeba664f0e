"""The command line: what can be done with runs without a notebook."""
