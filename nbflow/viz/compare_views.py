"""The comparison that people get of two runs: it can show and save itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Container
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nbflow.viz.compare import COLUMNS, Comparison
from nbflow.viz.compare_draw import compare_svg
from nbflow.viz.compare_text import compare_text, summary
from nbflow.viz.drawn import bundle, size_of
from nbflow.viz.export import csv_text, json_text, pdf_of
from nbflow.viz.saving import save
from nbflow.viz.wording import clean

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_KINDS: Final = ("text/plain", "image/png")


class ComparisonView(Comparison):
    """Two runs side by side; in a notebook a picture, in a terminal a table.

    Example:
        >>> comparison = nbflow.compare(slow, fast)
        >>> print(comparison.summary)
        B took 1.40 s longer than A (3.20 s and 4.60 s): convert-3 ran 1.20 s longer.
        >>> comparison.differences[0].seconds
        1.2
    """

    @property
    def summary(self) -> str:
        """What differs most, in a sentence or a few."""
        return summary(self)

    def text(self, *, width: int = 100, lines: int = 40) -> str:
        """Write it for a terminal.

        Args:
            width: How many columns there are.
            lines: How many lines there may be.
        """
        return compare_text(self, width=width, lines=lines)

    def svg(self) -> str:
        """Draw both runs on one axis of time, and the largest differences, as SVG."""
        return compare_svg(self)

    def png(self, dpi: float = 144) -> bytes:
        """Draw the same as PNG."""
        from nbflow.viz.mpl import png_of  # noqa: PLC0415 - matplotlib takes time to load

        return png_of(self.plot(), dpi)

    def plot(self, ax: Axes | None = None) -> Figure:
        """Draw the same by matplotlib, on `ax` or as a figure of its own."""
        from nbflow.viz.compare_mpl import plot_comparison  # noqa: PLC0415 - as above

        return plot_comparison(self, ax)

    def to_pandas(self) -> pd.DataFrame:
        """Give a table with a row a call, those of one run only too; pandas must be installed."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=list(COLUMNS))

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for `json.dumps`."""
        return {
            "kind": "nbflow comparison",
            "schema": 1,
            "a": self.a.run,
            "b": self.b.run,
            "summary": self.summary,
            "totals": [{"name": t.name, "a": t.a, "b": t.b, "unit": t.unit} for t in self.totals],
            "calls": self.rows(),
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save it: ``.svg .png .pdf .json .csv .txt``, each also with ``.gz`` behind it.

        Raises:
            ValueError: It has another extension.
            OSError: The file cannot be written; one that was there is as it was.
        """
        title = f"{self.a.run} and {self.b.run}"
        makers: dict[str, Callable[[], str | bytes]] = {
            ".svg": self.svg,
            ".png": self.png,
            ".pdf": lambda: pdf_of(self.plot(), title),
            ".json": lambda: json_text(self.to_dict()),
            ".csv": lambda: csv_text(COLUMNS, self.rows()),
            ".txt": lambda: self.text(lines=10**9) + "\n",
        }
        return save(path, makers, f"the comparison of {clean(title)}")

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
        """Give what IPython asks for: no SVG, which JupyterLab cuts where a notebook is narrow."""
        left_out = {"image/svg+xml"} | {kind for kind in _KINDS if kind in (exclude or ())}
        data = bundle(self, include, left_out)
        png = data.get("image/png")
        return data, {"image/png": size_of(png)} if png else {}
