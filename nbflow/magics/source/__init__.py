"""Cells as source text: what of them a name needs, and what they are as a plain module."""
