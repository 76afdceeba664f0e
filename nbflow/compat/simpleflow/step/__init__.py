"""Parts of a workflow that are done once."""
