"""Programs that are fetched once on each machine."""

from nbflow.execute import binaries as with_binaries

__all__ = ["with_binaries"]
