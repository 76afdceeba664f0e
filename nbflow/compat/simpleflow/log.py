"""The logger that programs write to, and colours for terminals."""

from __future__ import annotations

import logging
from typing import Final

logger: Final = logging.getLogger("simpleflow")
END: Final = "\033[0m"
RED: Final = "\033[31m"
GREEN: Final = "\033[32m"
YELLOW: Final = "\033[33m"
ORANGE: Final = "\033[33m"
BLUE: Final = "\033[34m"
COLORS: Final = {"RED": RED, "GREEN": GREEN, "YELLOW": YELLOW, "ORANGE": ORANGE, "BLUE": BLUE}
"""The colours by name."""


def colorize(color: str, message: object) -> str:
    """Give a text in a colour of `COLORS`; in none, if there is no such colour."""
    code = COLORS.get(color.upper(), "")
    return f"{code}{message}{END}" if code else str(message)
