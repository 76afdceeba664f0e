"""Activities that run programs and other Python interpreters: never by way of a shell."""

from nbflow.execute.fetching import binaries, binary
from nbflow.execute.functions import format_arguments, program, python

__all__ = ["binaries", "binary", "format_arguments", "program", "python"]
