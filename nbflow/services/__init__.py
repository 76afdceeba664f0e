"""Services that own the log of a run: each in a package of its own, which knows no other."""
