"""A workflow's graph as a flow definition, and the function that runs its activities."""
