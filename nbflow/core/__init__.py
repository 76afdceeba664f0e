"""The pure half of nbflow: what a run is, without threads, clocks, files or notebooks."""
