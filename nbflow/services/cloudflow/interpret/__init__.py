"""Flows that run: a pure machine over the log of an execution, for either language."""
