"""Draws the pictures of the docs from what benchmarks have written down.

    python benchmarks/plots.py       a second or two; needs matplotlib

Of each file the section that was added last is drawn, so a picture is as good as its file. What is
not there is left out, and said.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PICTURES = HERE.parent / "docs" / "pictures"
SHAPES = ("wide", "chain", "tree")
_OVERHEAD = re.compile(r"(wide|chain|tree), ([\d,]+) calls")

Row = dict[str, str]


def tables(text: str) -> Iterator[list[Row]]:
    """Give the tables of a text: a dict for each row, by the heads of the columns."""
    for block in re.findall(r"(?:^\|.*\n)+", text + "\n", re.MULTILINE):
        lines = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.split("\n")
        ]
        head, _, *rows = lines
        yield [dict(zip(head, row, strict=True)) for row in rows if len(row) == len(head)]


def latest(text: str) -> str:
    """Give the section that was added last of a file that sections are added to."""
    return text.rsplit("\n## ", 1)[-1]


def number(text: str) -> float | None:
    """Read a number of a table; None where there is none."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def costs(text: str) -> dict[str, dict[str, dict[int, float]]]:
    """Read RESULTS.md: microseconds a call, by shape, system and number of calls."""
    found: dict[str, dict[str, dict[int, float]]] = {shape: {} for shape in SHAPES}
    for rows in tables(text):
        first = next(iter(rows[0])) if rows else ""
        heading = _OVERHEAD.fullmatch(first)
        for row in rows if heading else ():
            median = number(row["median"])
            if heading and median is not None:
                calls = int(heading[2].replace(",", ""))
                found[heading[1]].setdefault(row[first], {})[calls] = median
    return found


def overhead(text: str, figure: Any) -> bool:
    """Draw what a call costs, in each shape; False if there is nothing to draw."""
    found = costs(text)
    if not any(found.values()):
        return False
    figure.set_size_inches(10, 4)
    names = list(dict.fromkeys(name for systems in found.values() for name in systems))
    axes = figure.subplots(1, len(SHAPES), sharey=True)
    for axis, shape in zip(axes, SHAPES, strict=True):
        for n, name in enumerate(names):
            if points := sorted(found[shape].get(name, {}).items()):
                ours = name.startswith("nbflow")
                style = {"linewidth": 2.5 if ours else 1.2, "marker": "o", "markersize": 4}
                axis.plot(*zip(*points, strict=True), label=name, color=f"C{n}", **style)
        axis.set(xscale="log", yscale="log", title=shape, xlabel="calls")
        axis.grid(visible=True, alpha=0.3)
    axes[0].set_ylabel("µs a call")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")
    return True


def durable(text: str, figure: Any) -> bool:
    """Draw how many durable steps there are a second; False if there is nothing to draw."""
    rows = [row for rows in tables(latest(text)) for row in rows]
    found = {row[""]: number(row.get("chain, steps a second", "")) for row in rows if "" in row}
    rates = {name: rate for name, rate in found.items() if rate is not None}
    if not rates:
        return False
    figure.set_size_inches(7, 2.2)
    axis = figure.subplots()
    bars = axis.barh(list(rates), list(rates.values()), color=["C0"] + ["C7"] * (len(rates) - 1))
    axis.bar_label(bars, fmt="{:,.0f}", padding=3)
    axis.set(xscale="log", xlabel="durable steps a second, one after the other")
    axis.margins(x=0.15)
    axis.invert_yaxis()
    return True


DRAWN: dict[str, tuple[str, Callable[[str, Any], bool]]] = {
    "overhead.png": ("RESULTS.md", overhead),
    "durable.png": ("DURABLE.md", durable),
}


def main() -> None:
    """Draw all that there are results for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--into", type=Path, default=PICTURES, help="a directory; by default docs/pictures"
    )
    asked = parser.parse_args()
    from matplotlib.figure import Figure

    for name, (source, draw) in DRAWN.items():
        path = HERE / source
        figure = Figure(layout="constrained")
        if not path.exists() or not draw(path.read_text(), figure):
            print(f"{name} is not drawn: there are no results in benchmarks/{source}")
            continue
        # Without a date and a version, so that the same results make the same file.
        figure.savefig(asked.into / name, dpi=120, metadata={"Software": None})
        print(asked.into / name)


if __name__ == "__main__":
    main()
