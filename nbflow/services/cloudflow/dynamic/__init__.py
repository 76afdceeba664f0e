"""Runs of workflows on CloudFlow: what keeps their logs there, and what works for them."""
