"""How quick the panel is: big runs in a real JupyterLab in Chromium, and what watching costs.

    python benchmarks/panel.py                      everything (about five minutes), writes PANEL.md
    python benchmarks/panel.py --only nodes         only parts whose name has this in it
    python benchmarks/panel.py --calls 20000        a smaller long run; nothing is written then

Needs the development environment (`make setup`), JupyterLab, playwright and a Chromium, which is
looked for where the browser tests look (`NBFLOW_CHROMIUM` names another). Run it on a machine that
does nothing else. The parts:

- `run`: a run of 100,000 calls in 20 activities, watched from its first call to its last; what the
  browser receives is counted at its websocket, and how it moves is measured meanwhile. Afterwards
  the run is opened from its file in another kernel, as one opens the run of another day.
- `nodes`: graphs of 1,000 and of 10,000 calls, shown call by call where there is no dot: three
  times each, of which the one in the middle counts.
- `watching`: what `watching.py` measures: 10,000 calls of 1 ms with and without a follower.

Times in the browser go from the click, or from the command that runs the cell, to the first frame
in which all is painted, kernel, messages and layout included.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import platform
import statistics
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import watching  # noqa: E402 - found beside this file

from tests.browser.front import Lab, Notebook, browsing, serving  # noqa: E402

WRITTEN = HERE / "PANEL.md"
ACTIVITIES = 20
MOST_BYTES = 1_000_000
MOST_A_SECOND = 10
MOST_ELEMENTS = 2_000

SETUP = """
import sys
sys.path.insert(0, {root!r})
import nbflow
from benchmarks.panel_runs import stages, filed
nbflow.configure(store={store!r}, on="threads", max_workers=2)
"""
SMALL = "nbflow.start(stages, 8, 4)"
"""Shown before anything is measured: the page and the kernel have loaded all code by then."""
LIVE = "run = nbflow.start(stages, {calls}, {activities})\nrun"
NO_DOT = """
from graphviz.backend import dot_command
dot_command.DOT_BINARY = "no-dot-here"
"""

TIMED = """([act, condition]) => {
    window.__took = null;
    const done = new Function(`return (${condition});`), began = performance.now();
    const look = () => {
        if (!done()) return requestAnimationFrame(look);
        requestAnimationFrame(() => { window.__took = performance.now() - began; });
    };
    new Function(act)();
    requestAnimationFrame(look);
}"""
CELL = """
    const {{ content }} = window.jupyterapp.shell.currentWidget;
    content.deselectAll();
    content.activeCellIndex = {cell};
    window.jupyterapp.commands.execute("notebook:run-cell");
"""
FRAMES = """(seconds) => {
    window.__gaps = null;
    const stage = document.querySelector(".nbf-stage"), gaps = [];
    const { left, top, width, height } = stage.getBoundingClientRect();
    let last = performance.now();
    const end = last + seconds * 1000;
    const frame = () => {
        const now = performance.now();
        gaps.push(now - last);
        last = now;
        stage.dispatchEvent(new WheelEvent("wheel", {
            ctrlKey: true, bubbles: true, cancelable: true, deltaY: 40 * Math.sin(now / 150),
            clientX: left + width / 2, clientY: top + height / 2,
        }));
        if (now < end) requestAnimationFrame(frame);
        else window.__gaps = gaps.slice(1);
    };
    requestAnimationFrame(frame);
}"""
LAST = "[...document.querySelectorAll('section.nbf')].at(-1)"
COUNT = "document.querySelectorAll('section.nbf').length"
BOXES = LAST + "?.querySelectorAll('.nbf-node').length"
STATUS = LAST + "?.dataset.status"
CHIPS = LAST + "?.querySelector('.nbf-chips')?.textContent"
READ = f"({STATUS} === 'completed' && !{LAST}.textContent.includes('still being read'))"
PAINTED = f"""(() => {{
    const canvas = {LAST}?.querySelector(".nbf-stage > .nbf-canvas");
    if (!canvas?.width || !canvas.isConnected) return false;
    const small = new OffscreenCanvas(60, 60).getContext("2d");
    small.drawImage(canvas, 0, 0, 60, 60);
    return small.getImageData(0, 0, 60, 60).data.some((value) => value);
}})()"""
ELEMENTS = f"{LAST}.querySelectorAll('*').length"
CHOOSE = f"""[...{LAST}.querySelectorAll(".nbf-tools button")]
    .find((made) => made.textContent === "{{mode}}").click()"""
TIMES = 3
"""So often a graph is shown call by call; the time in the middle counts."""


# ---------------------------------------------------------------- what is found


@dataclass
class Line:
    """One line of the table.

    Attributes:
        what: What was measured.
        target: What was asked for; "" if nothing was.
        found: What was found.
        met: Whether that is what was asked for; None if nothing was.
    """

    what: str
    target: str
    found: str
    met: bool | None = None

    def cells(self) -> list[str]:
        """Give it as cells."""
        return [
            self.what,
            self.target,
            self.found,
            "" if self.met is None else "met" if self.met else "missed",
        ]


def within(what: str, found: float, most: float, show: Callable[[float], str]) -> Line:
    """Make a line of a figure that has an upper bound."""
    return Line(what, f"at most {show(most)}", show(found), found <= most)


def seconds(value: float) -> str:
    """Write seconds."""
    return f"{value:.2f} s"


def whole(value: float) -> str:
    """Write a whole number."""
    return f"{value:,.0f}"


@dataclass
class Frames:
    """What came over the websockets of a page.

    Attributes:
        sizes: Bytes of each message.
        told: When each message of a widget was sent by the kernel, seconds.
    """

    sizes: list[int] = field(default_factory=list)
    told: list[float] = field(default_factory=list)

    def listen(self, page: Any) -> None:
        """Count what comes from now on."""
        page.on("websocket", lambda line: line.on("framereceived", self.take))

    def take(self, payload: str | bytes) -> None:
        """Take one frame: a Jupyter message, in parts behind a table of offsets."""
        if isinstance(payload, str):
            self.sizes.append(len(payload.encode()))
            return
        self.sizes.append(len(payload))
        (count,) = struct.unpack_from("<Q", payload)
        begins = struct.unpack_from(f"<{count}Q", payload, 8)
        header = json.loads(payload[begins[1] : begins[2]])
        if header.get("msg_type") == "comm_msg":
            self.told.append(dt.datetime.fromisoformat(header["date"]).timestamp())

    def rate(self) -> float:
        """Give how many messages a second there were, from the first to the last."""
        long = max(self.told) - min(self.told) if self.told else 0.0
        return (len(self.told) - 1) / long if long else 0.0

    def burst(self) -> int:
        """Give how many messages there were in the fullest second."""
        times, most, begin = sorted(self.told), 0, 0
        for i, at in enumerate(times):
            while times[begin] <= at - 1.0:
                begin += 1
            most = max(most, i - begin + 1)
        return most


# ---------------------------------------------------------------- the browser


class Panel:
    """A notebook whose last panel is measured."""

    def __init__(self, book: Notebook, frames: Frames) -> None:
        self.book = book
        self.frames = frames

    def begin(self) -> float:
        """Run the first two cells; give the seconds until there is a panel of a run that is over.

        Then its picture has been drawn as well, so nothing goes on in the kernel.
        """
        self.book.run_cells(0, 1)
        took = self.cell(1, f"{BOXES} > 0 && {STATUS} === 'completed'")
        self.book.page.wait_for_timeout(4000)
        return took

    def timed(self, act: str, condition: str, limit: float = 60) -> float:
        """Do something in the page; give the seconds until a condition holds and is painted."""
        self.book.page.evaluate(TIMED, [act, condition])
        self.book.wait_for("window.__took !== null", limit)
        return float(self.book.page.evaluate("() => window.__took")) / 1000

    def gaps(self, long: float = 3.0) -> list[float]:
        """Zoom in and out for so long; give the milliseconds between frames."""
        self.book.page.evaluate(FRAMES, long)
        self.book.wait_for("window.__gaps !== null", long + 30)
        return list(self.book.page.evaluate("() => window.__gaps"))

    def ask(self, expression: str) -> Any:
        """Evaluate an expression in the page."""
        return self.book.page.evaluate(f"() => {expression}")

    def cell(self, number: int, condition: str, limit: float = 60) -> float:
        """Run a cell; give the seconds until a condition holds and is painted."""
        return self.timed(CELL.format(cell=number), condition, limit)


@contextlib.contextmanager
def opened(lab: Lab, browser: Any, *cells: str) -> Iterator[Panel]:
    """Open a notebook with these cells in a new page."""
    context = browser.new_context(viewport={"width": 1200, "height": 1000})
    name = f"panel-{time.monotonic_ns()}.ipynb"
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(made, lab.root / name)
    page, frames = context.new_page(), Frames()
    frames.listen(page)
    try:
        yield Panel(Notebook(page, lab, name), frames)
    finally:
        context.close()
        for session in json.loads(lab.request("/api/sessions")):
            if session["path"].endswith(name):
                lab.request(f"/api/sessions/{session['id']}", "DELETE")


def smooth(what: str, gaps: Sequence[float]) -> Line:
    """Make a line of how the picture moved."""
    ordered = sorted(gaps)
    most = ordered[int(len(ordered) * 0.95)]
    middle = statistics.median(ordered)
    words = f"{1000 / middle:.0f} frames/s, 95 % within {most:.0f} ms, longest {ordered[-1]:.0f} ms"
    return Line(what, "95 % within 100 ms", words, most <= 100)


def tabs(panel: Panel) -> Iterator[tuple[str, float, int]]:
    """Go through the tabs; give each one's name, the seconds it took, and its elements."""
    for name in ("Gantt", "Calls", "Log", "Result", "Graph"):
        act = f"""[...{LAST}.querySelectorAll(".nbf-tab")]
            .find((made) => made.textContent === "{name}").click()"""
        shown = f"{LAST}.querySelector('.nbf-page').getAttribute('aria-label') === '{name}'"
        yield name, panel.timed(act, shown), int(panel.ask(ELEMENTS))


# ---------------------------------------------------------------- the parts


def long_run(lab: Lab, browser: Any, calls: int, folder: Path) -> Iterator[Line]:
    """Watch a long run, then open it again."""
    store = str(folder / "long.db")
    setup = SETUP.format(root=str(HERE.parent), store=store)
    live = LIVE.format(calls=calls, activities=ACTIVITIES)
    with opened(lab, browser, setup, SMALL, live) as panel:
        cold = panel.begin()
        yield Line("the first panel of a page and a kernel: a run of 8 calls", "", seconds(cold))
        panel.frames.sizes.clear()
        panel.frames.told.clear()
        first = panel.cell(2, f"{COUNT} === 2 && {BOXES} > 0")
        yield Line("a run that begins: its first box", "", seconds(first))
        moved = panel.gaps()
        panel.book.wait_for(f"{STATUS} === 'completed'", 600)
        panel.book.page.wait_for_timeout(1500)  # what is still on its way counts as well
        frames = panel.frames
        words = panel.ask(f"{LAST}.querySelector('.nbf-elapsed').textContent")
        yield Line(f"{calls:,} calls, watched: they took", "", str(words))
        yield within("- largest message", max(frames.sizes), MOST_BYTES, whole)
        yield within(
            "- messages of widgets a second", frames.rate(), MOST_A_SECOND, "{:.1f}".format
        )
        yield Line("- in the fullest second", "", whole(frames.burst()))
        yield smooth("- zooming meanwhile", moved)
        run = panel.ask(f"{LAST}.dataset.run")
    with opened(lab, browser, setup, SMALL, f"nbflow.attach({run!r})") as panel:
        panel.begin()
        first = panel.cell(2, f"{COUNT} === 2 && {BOXES} > 0")
        yield Line("opened from its file: its first boxes", "", seconds(first))
        all_ = f"{BOXES} === {ACTIVITIES} && {CHIPS}?.includes('{calls:,} done')"
        counted = first + panel.timed("", all_)
        yield within("- its graph, grouped, and all calls counted", counted, 2.0, seconds)
        began = time.monotonic()
        panel.book.wait_for(READ, 240)
        yield Line("- all of its log is read so much later", "", seconds(time.monotonic() - began))
        yield from _opened_run(panel, calls)


def _opened_run(panel: Panel, calls: int) -> Iterator[Line]:
    every = f"{LAST}.querySelector('.nbf-calls [aria-rowcount]')?.getAttribute('aria-rowcount')"
    yield smooth("- zooming", panel.gaps())
    most = int(panel.ask(ELEMENTS))
    for name, took, elements in tabs(panel):
        most = max(most, elements)
        yield within(f"- the tab {name}", took, 0.5, seconds)
        if name == "Calls":
            panel.book.wait_for(f"{every} === '{calls + 1}'")
            sort = f"{LAST}.querySelector('[data-column=ran] button').click()"
            first = f"{LAST}.querySelector('[data-column=ran]').ariaSort !== 'none'"
            yield within("- sorting the calls", panel.timed(sort, first), 0.5, seconds)
    yield within("- elements, at most", most, MOST_ELEMENTS, whole)
    yield within("- largest message", max(panel.frames.sizes), MOST_BYTES, whole)
    yield Line("- messages in the fullest second", "", whole(panel.frames.burst()))


def nodes(lab: Lab, browser: Any, folder: Path) -> Iterator[Line]:
    """Show graphs call by call, without dot."""
    store = str(folder / "nodes.db")
    setup = SETUP.format(root=str(HERE.parent), store=store) + NO_DOT
    cells = [f"nbflow.attach(filed({store!r}, {count}))" for count in (1_000, 10_000)]
    with opened(lab, browser, setup, SMALL, *cells) as panel:
        panel.begin()
        for cell, count, most in ((2, 1_000, 1.0), (3, 10_000, 3.0)):
            panel.cell(cell, f"{COUNT} === {cell} && {BOXES} > 0 && {READ}", 120)
            found = list(_shown(panel))
            took = statistics.median(found)
            yield within(f"{count:,} calls one by one: laid out and shown", took, most, seconds)
            yield Line("- the first time", "", seconds(found[0]))
            yield within("- elements", int(panel.ask(ELEMENTS)), MOST_ELEMENTS, whole)
            yield smooth("- zooming", panel.gaps())


def _shown(panel: Panel) -> Iterator[float]:
    """Show the calls one by one and their groups in turns; give what the calls took."""
    for number in range(TIMES):
        if number:
            panel.timed(CHOOSE.format(mode="groups"), f"!{PAINTED} && {BOXES} > 0")
        yield panel.timed(CHOOSE.format(mode="calls"), PAINTED)


def watched(rounds: int) -> Iterator[Line]:
    """Measure what a follower costs the run."""
    with tempfile.TemporaryDirectory() as folder:
        import nbflow

        store = str(Path(folder) / "runs.db")
        nbflow.configure(on="threads", max_workers=watching.WORKERS, store=store)
        found, _ = watching.rounds(10_000, rounds)
    pairs = list(zip(found["watched"], found["alone"], strict=True))
    ratios = sorted(w.wall / a.wall for w, a in pairs)
    middle = statistics.median(ratios)
    yield within(
        "10,000 calls of 1 ms, watched : alone (median of the pairs)", middle, 1.05, "{:.3f}".format
    )
    yield Line("- from pair to pair", "", f"{ratios[0]:.3f} to {ratios[-1]:.3f}")
    share = statistics.median(w.watching / w.wall for w, _ in pairs)
    yield Line("- processor time of the follower, of the time of the run", "", f"{share:.1%}")
    more = statistics.median(w.cpu - a.cpu for w, a in pairs)
    yield Line("- processor time of the process, more than alone", "", seconds(more))


# ---------------------------------------------------------------- the table


def machine(before: float) -> list[str]:
    """Say on what it was measured."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return [
        f"- processor: {models[0] if models else platform.machine()}, {os.cpu_count()} cores",
        f"- system: {platform.system()} {platform.release()}",
        f"- Python: {platform.python_implementation()} {platform.python_version()}",
        f"- date: {dt.datetime.now(dt.UTC):%Y-%m-%d}",
        f"- load average before: {before:.1f}",
    ]


def written(lines: Sequence[Line], before: float, version: str) -> str:
    """Write PANEL.md."""
    words = (__doc__ or "").partition("The parts:")[2]
    return "\n".join(
        [
            "# How quick the panel is",
            "",
            "Written by `python benchmarks/panel.py`.",
            "",
            *machine(before),
            f"- browser: Chromium {version}, without a window, no GPU",
            "",
            "## How it was measured",
            words.rstrip(),
            "",
            "## What was found",
            "",
            *table([["what", "target", "found", ""], *(line.cells() for line in lines)]),
            "",
        ]
    )


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Write rows as a Markdown table, the first as its head."""
    wide = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)) + " |"
        for row in rows
    ]
    return [lines[0], "| " + " | ".join("-" * w for w in wide) + " |", *lines[1:]]


def measured(options: argparse.Namespace) -> tuple[list[Line], str]:
    """Measure the chosen parts, and print each line as it comes."""
    found: list[Line] = []

    def keep(line: Line) -> None:
        found.append(line)
        print(" | ".join(line.cells()), flush=True)

    def take(part: str, lines: Iterator[Line]) -> None:
        try:
            for line in lines:
                keep(line)
        except Exception as error:
            traceback.print_exc()
            why = (str(error).splitlines() or [""])[0][:100]
            keep(Line(f"{part} broke off", "", f"{type(error).__name__}: {why}", met=False))

    version = ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only in "run" or options.only in "nodes":
            with serving(folder / "lab") as lab, browsing() as browser:
                version = browser.version
                if options.only in "run":
                    take("run", long_run(lab, browser, options.calls, folder))
                if options.only in "nodes":
                    take("nodes", nodes(lab, browser, folder))
    if options.only in "watching":
        take("watching", watched(options.rounds))
    return found, version


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="part of a name: run, nodes, watching")
    parser.add_argument("--calls", type=int, default=100_000, help="of the long run")
    parser.add_argument("--rounds", type=int, default=5, help="of watching")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    found, version = measured(options)
    if options.only or options.calls != 100_000:
        return
    WRITTEN.write_text(written(found, before, version), encoding="utf-8")
    print(f"written: {WRITTEN}")


if __name__ == "__main__":
    main()
