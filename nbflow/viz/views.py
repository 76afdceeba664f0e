"""The graph and the profile that people get from a run: folds that can show and save themselves.

A notebook shows them as a picture, a terminal in one line; `print(view.text())` gives the text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nbflow.core.call import CallState
from nbflow.core.graph import Edge, Graph
from nbflow.core.profile import Profile
from nbflow.viz.drawn import Drawn
from nbflow.viz.export import (
    BAR_COLUMNS,
    EDGE_COLUMNS,
    bar_dicts,
    bars_csv,
    dot_source,
    edge_dicts,
    edges_csv,
    graph_dict,
    profile_dict,
)
from nbflow.viz.mermaid import mermaid_source
from nbflow.viz.saving import save
from nbflow.viz.standing import counts_of
from nbflow.viz.svg import graph_svg, profile_svg
from nbflow.viz.text import graph_text, profile_text
from nbflow.viz.trace import chrome_trace, trace_text
from nbflow.viz.wording import clean, duration, many

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from opentelemetry.sdk.trace.export import SpanExporter


class GraphView(Graph, Drawn):
    """A `Graph` that can show and save itself.

    Example:
        >>> run.graph                           # a picture
        >>> print(run.graph.text(color=True))
        >>> run.graph.save("graph.pdf")

    Attributes:
        unrun: What its nodes are called, where it is the graph of a definition that was never run.
    """

    unrun: str = ""

    @property
    def status(self) -> str:
        """The run's status, as `Graph.status`; ``definition`` of what was never run."""
        return "definition" if self.unrun else super().status

    @classmethod
    def made(
        cls, states: Iterable[CallState], edges: Iterable[Edge], joins: dict[str, tuple[str, ...]]
    ) -> Self:
        """Make one of its parts, where there are no events to fold."""
        self = cls()
        self.history.calls.update((state.id, state) for state in states)
        self.edges.extend(edges)
        self._joins.update(joins)
        return self

    def text(
        self, *, width: int = 100, lines: int = 60, color: bool = False, critical: bool = True
    ) -> str:
        """Write it for a terminal, see `graph_text`."""
        return graph_text(self, width=width, lines=lines, color=color, critical=critical)

    def svg(self, *, critical: bool = True) -> str:
        """Draw it as an SVG document, the critical path marked if `critical`."""
        return graph_svg(self, critical=critical)

    @property
    def title(self) -> str:
        """What its pictures are called."""
        return f"Graph of {self.name}"

    def plot(self, ax: Axes | None = None, *, critical: bool = True) -> Figure:
        """Draw it by matplotlib, on `ax` or as a figure of its own."""
        from nbflow.viz.mpl import plot_graph  # noqa: PLC0415 - matplotlib takes time to load

        return plot_graph(self, ax, critical=critical)

    def dot(self, *, groups: bool | None = None) -> str:
        """Write it in the DOT language, by activity if `groups`, or if it is big."""
        return dot_source(self, groups=groups)

    def mermaid(self, *, groups: bool | None = None) -> str:
        """Write it as a Mermaid flowchart, by activity if `groups`, or if it is big."""
        return mermaid_source(self, groups=groups)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for `json.dumps`; docs/exports.md has the fields."""
        return graph_dict(self)

    def to_csv(self) -> str:
        """Write its edges as CSV."""
        return edges_csv(self)

    def to_pandas(self) -> pd.DataFrame:
        """Give a table with a row an edge; pandas must be installed."""
        import pandas as pd

        return pd.DataFrame(edge_dicts(self), columns=list(EDGE_COLUMNS), dtype="object")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save it in the format that the file's extension asks for.

        Args:
            path: One of ``.svg .png .pdf .dot .gv .mmd .mermaid .json .csv .txt``, each also
                with ``.gz`` behind it. A file that exists is replaced.

        Returns:
            The file.

        Raises:
            ValueError: It has another extension.
            OSError: The file cannot be written; one that was there is as it was.

        Example:
            >>> run.graph.save("graph.svg")
        """
        makers: dict[str, Callable[[], str | bytes]] = {
            ".svg": self.svg,
            ".png": self.png,
            ".pdf": self.pdf,
            ".dot": self.dot,
            ".gv": self.dot,
            ".mmd": self.mermaid,
            ".mermaid": self.mermaid,
            ".json": self.to_json,
            ".csv": self.to_csv,
            ".txt": lambda: self.text(lines=10**9) + "\n",
        }
        return save(path, makers, f"the graph of {clean(self.name) or 'workflow'}")

    def __repr__(self) -> str:
        counts = ", ".join(f"{count:,} {status}" for status, count in counts_of(self).items())
        name = clean(self.name) or "workflow"
        words = f"{self.status}, {many(len(self), self.unrun or 'call')}"
        return f"<graph of {name}: {words}{counts and ': '}{counts}>"


class ProfileView(Profile, Drawn):
    """A `Profile` that can show and save itself.

    Example:
        >>> run.profile                         # a picture
        >>> run.profile.to_pandas().groupby("activity").seconds.sum()
        >>> run.profile.save("run.trace.json")  # for ui.perfetto.dev
    """

    __slots__ = ()

    def text(
        self, *, width: int = 100, lines: int = 60, color: bool = False, critical: bool = True
    ) -> str:
        """Write it for a terminal, see `profile_text`."""
        return profile_text(self, width=width, lines=lines, color=color, critical=critical)

    def svg(self, *, critical: bool = True) -> str:
        """Draw it as an SVG document, the critical path marked if `critical`."""
        return profile_svg(self, critical=critical)

    @property
    def title(self) -> str:
        """What its pictures are called."""
        return f"Profile of {self.name}"

    def plot(self, ax: Axes | None = None, *, critical: bool = True) -> Figure:
        """Draw it by matplotlib, on `ax` or as a figure of its own."""
        from nbflow.viz.mpl import plot_profile  # noqa: PLC0415 - matplotlib takes time to load

        return plot_profile(self, ax, critical=critical)

    def trace(self) -> dict[str, Any]:
        """Give Chrome trace events, for Perfetto (ui.perfetto.dev)."""
        return chrome_trace(self)

    def send_spans(self, exporter: SpanExporter | None = None) -> int:
        """Send it as OpenTelemetry spans, and give how many there were; see `spans.send_spans`."""
        from nbflow.viz.spans import send_spans  # noqa: PLC0415 - an extra

        return send_spans(self, exporter)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for `json.dumps`; docs/exports.md has the fields."""
        return profile_dict(self)

    def to_csv(self) -> str:
        """Write its attempts as CSV; times are seconds since the epoch."""
        return bars_csv(self)

    def to_pandas(self) -> pd.DataFrame:
        """Give a table with a row an attempt; pandas must be installed."""
        import pandas as pd

        frame = pd.DataFrame(bar_dicts(self), columns=list(BAR_COLUMNS))
        for column in ("ready", "started", "ended"):
            frame[column] = pd.to_datetime(frame[column].astype("float64"), unit="s", utc=True)
        return frame

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save it in the format that the file's extension asks for.

        Args:
            path: One of ``.svg .png .pdf .trace.json .json .csv .txt``, each also with ``.gz``
                behind it. A file that exists is replaced.

        Returns:
            The file.

        Raises:
            ValueError: It has another extension.
            OSError: The file cannot be written; one that was there is as it was.

        Example:
            >>> run.profile.save("run.trace.json")
        """
        makers: dict[str, Callable[[], str | bytes]] = {
            ".svg": self.svg,
            ".png": self.png,
            ".pdf": self.pdf,
            ".trace.json": lambda: trace_text(self),
            ".json": self.to_json,
            ".csv": self.to_csv,
            ".txt": lambda: self.text(lines=10**9) + "\n",
        }
        return save(path, makers, f"the profile of {clean(self.name) or 'workflow'}")

    def __repr__(self) -> str:
        name = clean(self.name) or "workflow"
        attempts = many(len(self.bars), "attempt")
        used = f"{self.efficiency():.0%} efficient"
        return f"<profile of {name}: {duration(self.wall())}, {attempts}, {used}>"
