"""Variables in what stands behind ``%nbflow``, as other line magics have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

_NAME: Final = re.compile(r"\{([^\W\d]\w*)\}|\$([^\W\d]\w*)")


def filled(text: str, names: Mapping[str, Any]) -> str:
    """Put values in place of ``{name}`` and ``$name``.

    Only texts, numbers and paths of the notebook are put in, and of other things nothing is
    computed: JSON and Python's own braces stay as they are.

    Args:
        text: Words and flags; not an expression, in which ``{name}`` is a set.
        names: The variables of the notebook.

    Example:
        >>> filled("-o {folder}/flow.py", {"folder": "/tmp"})
        '-o /tmp/flow.py'
    """

    def value(found: re.Match[str]) -> str:
        known = names.get(found[1] or found[2])
        return str(known) if isinstance(known, (str, int, float, PurePath)) else found[0]

    return _NAME.sub(value, text)
