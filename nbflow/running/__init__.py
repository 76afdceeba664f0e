"""Starts runs and holds on to them: the one place that picks a store and an executor."""
