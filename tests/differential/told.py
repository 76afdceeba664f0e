"""What the hooks of programs note: the run and the hook, in the order in which they were called."""

from __future__ import annotations

HOOKS: list[tuple[str, str]] = []


def tell(run: str, hook: str) -> None:
    """Note that a hook was called."""
    HOOKS.append((run, hook))
