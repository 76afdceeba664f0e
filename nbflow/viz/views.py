"""The graph and the profile that people get from a run: folds that can show themselves."""

from __future__ import annotations

from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.viz.svg import graph_svg, profile_svg
from nbflow.viz.text import graph_text, profile_text


class GraphView(Graph):
    """A `Graph` that can show itself."""

    def text(self, *, width: int = 100, lines: int = 60, color: bool = False) -> str:
        """Write it for a terminal, see `graph_text`."""
        return graph_text(self, width=width, lines=lines, color=color)

    def svg(self) -> str:
        """Draw it as SVG."""
        return graph_svg(self)


class ProfileView(Profile):
    """A `Profile` that can show itself."""

    __slots__ = ()

    def text(self, *, width: int = 100, lines: int = 60, color: bool = False) -> str:
        """Write it for a terminal, see `profile_text`."""
        return profile_text(self, width=width, lines=lines, color=color)

    def svg(self) -> str:
        """Draw it as SVG."""
        return profile_svg(self)
