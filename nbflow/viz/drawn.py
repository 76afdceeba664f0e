"""What a graph and a profile have in common when people look at them: pictures, text, files."""

from __future__ import annotations

import base64
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any, Protocol

from nbflow.viz.export import json_text, pdf_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Drawn(ABC):
    """Something that draws itself as SVG and by matplotlib, and is shown by IPython.

    Example:
        >>> run.graph.png(dpi=300)
        >>> run.profile.pdf()
    """

    __slots__ = ()

    @abstractmethod
    def text(self) -> str:
        """Write it for a terminal."""

    @abstractmethod
    def svg(self) -> str:
        """Draw it as an SVG document."""

    @abstractmethod
    def plot(self, ax: Axes | None = None) -> Figure:
        """Draw it by matplotlib, on `ax` or as a figure of its own."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for `json.dumps`; docs/exports.md has the fields."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What its pictures are called."""

    def png(self, dpi: float = 144) -> bytes:
        """Draw it as PNG, at so many dots per inch: 144 is twice the size of the SVG."""
        from nbflow.viz.mpl import png_of  # noqa: PLC0415 - matplotlib takes time to load

        return png_of(self.plot(), dpi)

    def pdf(self) -> bytes:
        """Draw it as PDF, on a page of its size."""
        return pdf_of(self.plot(), self.title)

    def to_json(self) -> str:
        """Write it as JSON, which `nbflow.viz.saved.load` reads."""
        return json_text(self.to_dict())

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        return bundle(self, include, exclude)


class Shown(Protocol):
    """What can be written and drawn without being asked how."""

    def text(self) -> str:
        """Write it."""

    def svg(self) -> str:
        """Draw it as SVG."""

    def png(self) -> bytes:
        """Draw it as PNG."""


def bundle(
    view: Shown,
    include: Container[str] | None,
    exclude: Container[str] | None,
) -> dict[str, str]:
    """Give what IPython asks for; the PNG is what an untrusted notebook still shows."""
    makers: dict[str, Callable[[], str]] = {
        "text/plain": view.text,
        "image/svg+xml": view.svg,
        "image/png": lambda: base64.b64encode(view.png()).decode(),
    }
    return {
        kind: make()
        for kind, make in makers.items()
        if (include is None or kind in include) and (exclude is None or kind not in exclude)
    }


def size_of(png: str) -> dict[str, int]:
    """Give the size to show a PNG at, by its base64: of 144 dots an inch, two for three pixels."""
    width, height = struct.unpack(">II", base64.b64decode(png[:44])[16:24])
    return {"width": width * 2 // 3, "height": height * 2 // 3}
