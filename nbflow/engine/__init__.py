"""Drives live runs: asks executors for attempts, writes what happens to the log."""
