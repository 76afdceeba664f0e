"""The graph and the profile that people get from a run: folds that can show themselves.

A notebook shows them as a picture, a terminal in one line; `print(view.text())` gives the text.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any

from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.viz.export import (
    bar_dicts,
    chrome_trace,
    dot_source,
    graph_dict,
    mermaid_source,
    profile_dict,
)
from nbflow.viz.svg import graph_svg, profile_svg
from nbflow.viz.text import graph_text, profile_text
from nbflow.viz.wording import clean, duration, many

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class GraphView(Graph):
    """A `Graph` that can show itself.

    Example:
        >>> run.graph                           # a picture
        >>> print(run.graph.text(color=True))
        >>> run.graph.plot().savefig("graph.pdf")
    """

    def text(self, *, width: int = 100, lines: int = 60, color: bool = False) -> str:
        """Write it for a terminal, see `graph_text`."""
        return graph_text(self, width=width, lines=lines, color=color)

    def svg(self) -> str:
        """Draw it as an SVG document."""
        return graph_svg(self)

    def plot(self, ax: Axes | None = None) -> Figure:
        """Draw it by matplotlib, on `ax` or as a figure of its own."""
        from nbflow.viz.mpl import plot_graph  # noqa: PLC0415 - matplotlib takes time to load

        return plot_graph(self, ax)

    def dot(self) -> str:
        """Write it in the DOT language."""
        return dot_source(self)

    def mermaid(self) -> str:
        """Write it as a Mermaid flowchart."""
        return mermaid_source(self)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for `json.dumps`."""
        return graph_dict(self)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count:,} {status}" for status, count in self.counts().items())
        name = clean(self.name) or "workflow"
        return (
            f"<graph of {name}: {self.status}, {many(len(self), 'call')}{counts and ': '}{counts}>"
        )

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        return _bundle(self, include, exclude)


class ProfileView(Profile):
    """A `Profile` that can show itself.

    Example:
        >>> run.profile                         # a picture
        >>> run.profile.to_pandas().groupby("activity").seconds.sum()
    """

    __slots__ = ()

    def text(self, *, width: int = 100, lines: int = 60, color: bool = False) -> str:
        """Write it for a terminal, see `profile_text`."""
        return profile_text(self, width=width, lines=lines, color=color)

    def svg(self) -> str:
        """Draw it as an SVG document."""
        return profile_svg(self)

    def plot(self, ax: Axes | None = None) -> Figure:
        """Draw it by matplotlib, on `ax` or as a figure of its own."""
        from nbflow.viz.mpl import plot_profile  # noqa: PLC0415 - matplotlib takes time to load

        return plot_profile(self, ax)

    def trace(self) -> dict[str, Any]:
        """Give Chrome trace events, for Perfetto."""
        return chrome_trace(self)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for `json.dumps`."""
        return profile_dict(self)

    def to_pandas(self) -> pd.DataFrame:
        """Give a table with a row an attempt; pandas must be installed."""
        import pandas as pd

        frame = pd.DataFrame(bar_dicts(self), columns=_COLUMNS)
        for column in ("ready", "started", "ended"):
            frame[column] = pd.to_datetime(frame[column].astype("float64"), unit="s", utc=True)
        return frame

    def __repr__(self) -> str:
        name = clean(self.name) or "workflow"
        attempts = many(len(self.bars), "attempt")
        used = f"{self.efficiency():.0%} efficient"
        return f"<profile of {name}: {duration(self.wall())}, {attempts}, {used}>"

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        return _bundle(self, include, exclude)


_COLUMNS = [
    "call",
    "activity",
    "attempt",
    "worker",
    "status",
    "ready",
    "started",
    "ended",
    "queued",
    "seconds",
    "packing",
    "cpu",
    "size",
    "memory",
    "deps",
]


def _bundle(
    view: GraphView | ProfileView,
    include: Container[str] | None,
    exclude: Container[str] | None,
) -> dict[str, str]:
    """Give what IPython asks for; the PNG is what an untrusted notebook still shows."""
    from nbflow.viz.mpl import png  # noqa: PLC0415 - matplotlib takes time to load

    makers: dict[str, Callable[[], str]] = {
        "text/plain": view.text,
        "image/svg+xml": view.svg,
        "image/png": lambda: base64.b64encode(png(view)).decode(),
    }
    return {
        kind: make()
        for kind, make in makers.items()
        if (include is None or kind in include) and (exclude is None or kind not in exclude)
    }
