"""A layer of very many boxes, broken into rows: side by side they are a strip that nobody reads."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from nbflow.viz.layered import smooth
from nbflow.viz.layout import Layout, Place

WIDE: Final = 1_000.0
"""A layer that is wider than this is broken into rows."""
_GAP: Final = 12.0
"""Between two boxes of a row, and between two rows."""

Boxes = Sequence[tuple[str, Place]]


def wrapped(found: Layout) -> Layout:
    """Break the layers of a layout that are too wide, and lead its lines straight.

    Args:
        found: The layout. One that is narrow enough is given back as it is.
    """
    if found.width <= WIDE:
        return found
    layers: defaultdict[int, list[tuple[str, Place]]] = defaultdict(list)
    for box, place in sorted(found.places.items(), key=lambda item: item[1].x):
        layers[round(place.y)].append((box, place))
    broken: dict[str, Place] = {}
    shift = 0.0
    for middle in sorted(layers):
        high = max(place.height for _, place in layers[middle])
        top = end = middle + shift - high / 2
        for row in _rows(layers[middle]):
            down = max(place.height for _, place in row)
            broken.update(_placed(row, end + down / 2))
            end += down + _GAP
        shift += max(0.0, end - _GAP - top - high)
    places = {box: broken[box] for box in found.places}
    curves = {
        (source, target): smooth((_foot(places[source]), _head(places[target])))
        for source, target in found.curves
    }
    return replace(found, places=places, curves=curves, width=WIDE, height=found.height + shift)


def _rows(layer: Boxes) -> Iterator[Boxes]:
    """Cut a layer into rows that are about as wide as each other; its large boxes come last."""
    first, last = layer[0][1], layer[-1][1]
    if last.x + last.width / 2 - first.x + first.width / 2 <= WIDE:
        yield layer
        return
    usual = min(place.width for _, place in layer)
    layer = sorted(layer, key=lambda item: item[1].width > usual)
    length = sum(place.width + _GAP for _, place in layer)
    each = length / math.ceil(length / (WIDE + _GAP))
    row: list[tuple[str, Place]] = []
    taken = 0.0
    for item in layer:
        wide = item[1].width + _GAP
        if row and taken + wide > min(each + usual, WIDE + _GAP):
            yield row
            row, taken = [], 0.0
        row.append(item)
        taken += wide
    yield row


def _placed(row: Boxes, y: float) -> Iterator[tuple[str, Place]]:
    """Put the boxes of a row next to each other, at so far down."""
    left = (WIDE - sum(place.width for _, place in row) - _GAP * (len(row) - 1)) / 2
    for box, place in row:
        yield box, replace(place, x=left + place.width / 2, y=y)
        left += place.width + _GAP


def _head(place: Place) -> tuple[float, float]:
    return place.x, place.y - place.height / 2


def _foot(place: Place) -> tuple[float, float]:
    return place.x, place.y + place.height / 2
