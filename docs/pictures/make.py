"""Makes the documentation's pictures: sample runs in a real JupyterLab, photographed in Chromium.

Run it from the root of the repository, with the environment for development (`make setup`) and
Chromium (NBFLOW_CHROMIUM names another than /usr/bin/chromium):

    .venv/bin/python -m docs.pictures.make             # all of them, in a minute or two
    .venv/bin/python -m docs.pictures.make gantt form  # those that are made along with these

The runs are those of `shop.py`, which sleep instead of working, so that pictures made again tell
the same story; ids of runs and the last digits of times differ. Each picture is a PNG beside this
file, reduced to few colours, below 150 kB. It is no test, and nothing runs it by itself.
"""

from __future__ import annotations

import argparse
import io
import math
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.browser.front import Notebook, browsing, opening, serving
from tests.browser.panels import STATUS, boxes, tab

HERE = Path(__file__).parent
MOST = 150_000
"""Bytes of a picture."""
COLORS = 256
MARGIN = 3
"""Pixels of the page around what is shown."""
PANEL = "section.nbf"

DEFINE = """import nbflow
from shop import fetch, clean, forecast, merge, publish

@nbflow.workflow
def demand(cities: list[str], days: int = 7, strict: bool = False):
    cleaned = [clean(fetch(city), strict) for city in cities]
    return publish(merge([forecast(rows, days) for rows in cleaned]))"""
CITIES = '["Lisbon", "Oslo", "Nairobi", "Quito", "Seoul", "Perth"]'
WORKERS = """import os
import nbflow
os.chdir("..")  # to shop.py
nbflow.configure(store=":memory:", max_workers=4)"""
RUN = f"run = demand({CITIES})\nrun"

FRAMES = """import nbflow
from shop import fetch, clean, forecast, merge, publish

@nbflow.workflow
def demand(cities: list[str]):
    orders = nbflow.Group(*[(fetch, city) for city in cities], name="read the orders").submit()
    rows = nbflow.Group(*[(clean, each) for each in orders.result()], name="clean them").submit()
    return publish(merge([forecast(each, 7) for each in rows.result()]))"""

MANY = """from shop import load, count, rank, summary

@nbflow.workflow
def survey(files: int):
    return summary([rank(count(load(number))) for number in range(files)])

run = survey(333)
run"""

FORM = '''from datetime import date
from typing import Literal

@nbflow.workflow
def plan_week(
    city: Literal["Lisbon", "Oslo", "Nairobi"],
    begin: date,
    shares: list[float],
    rate: float = 1.08,
    strict: bool = False,
):
    """Plan the purchases of a week."""
    return publish(merge([forecast(clean(fetch(city), strict), 7)]))

form = plan_week.form()
form'''


class Studio:
    """Opens notebooks and takes pictures of them.

    Args:
        make: Opens a notebook with cells.
        folder: Where the notebooks are.
    """

    def __init__(self, make: Callable[..., Notebook], folder: Path) -> None:
        self.make = make
        self.folder = folder

    def open(self, *cells: str, dark: bool = False) -> Notebook:
        """Open a notebook with nothing beside it, in a theme; no cell of it has been run."""
        book = self.make(WORKERS, *cells)
        theme = f"JupyterLab {'Dark' if dark else 'Light'}"
        book.command("apputils:change-theme", {"theme": theme})
        book.wait_for(f"document.body.dataset.jpThemeName === '{theme}'")
        if book.page.locator("#jp-left-stack").is_visible():
            book.command("application:toggle-left-area")
        book.run_cells(0, 1)
        return book

    def take(self, book: Notebook, name: str, part: str = PANEL) -> None:
        """Take a picture of a part of the page."""
        settle(book)
        found = book.page.locator(part).last
        found.scroll_into_view_if_needed()
        box = found.bounding_box()
        left, top = (math.floor(box[key]) - MARGIN for key in ("x", "y"))
        wide, high = (math.ceil(box[key]) + 2 * MARGIN for key in ("width", "height"))
        area = {"x": left, "y": top, "width": wide, "height": high}
        keep(name, book.page.screenshot(clip=area))

    def cells(self, book: Notebook, name: str, first: int, last: int) -> None:
        """Take a picture of some cells, from the first to the last one's output."""
        settle(book)
        found = book.page.locator(".jp-Notebook .jp-Cell")
        top, end = (found.nth(i).bounding_box() for i in (first, last))
        area = {"x": top["x"], "y": top["y"], "width": top["width"]}
        area["height"] = end["y"] + end["height"] - top["y"]
        keep(name, book.page.screenshot(clip=area))


def settle(book: Notebook) -> None:
    """Move the pointer away, and let the page draw."""
    book.page.mouse.move(2, 2)
    book.page.evaluate("() => new Promise((done) => setTimeout(done, 350))")


def keep(name: str, data: bytes) -> None:
    """Write a picture in few colours.

    Args:
        name: Without its extension.
        data: As PNG.

    Raises:
        SystemExit: It is too big even so.
    """
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    small = reduced(picture)
    file = HERE / f"{name}.png"
    small.save(file, optimize=True)
    size = file.stat().st_size
    print(f"{file.name:14} {picture.width} x {picture.height}  {size / 1000:6.1f} kB")
    if size > MOST:
        sys.exit(f"{file.name} is larger than {MOST // 1000} kB: show less in it")


def reduced(picture: Image.Image) -> Image.Image:
    """Give a picture with few colours: those of flat areas as they are, and means of the others."""
    pixels = np.asarray(picture).reshape(-1, 3)
    colors, where, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    flat = colors[np.argsort(-counts)[: COLORS // 2]]
    means = picture.quantize(COLORS // 2, method=Image.Quantize.MEDIANCUT).getpalette("RGB")
    chosen = np.concatenate([flat, np.array(means, dtype=np.uint8).reshape(-1, 3)])
    far = (colors[:, None].astype(np.int32) - chosen[None].astype(np.int32)) ** 2
    nearest = far.sum(axis=2).argmin(axis=1).astype(np.uint8)
    made = Image.frombytes("P", picture.size, nearest[where.reshape(-1)].tobytes())
    made.putpalette(chosen.reshape(-1).tolist())
    return made


# ---------------------------------------------------------------------- the pictures


def live(studio: Studio) -> None:
    """Take a run under way below its cells: live, and in dark."""
    for name, dark in (("live", False), ("dark", True)):
        book = studio.open(DEFINE, RUN, dark=dark)
        book.run_cells(1, 2)
        book.wait_for(f"{boxes('done')} >= 7")
        studio.cells(book, name, 1, 2)
        book.wait_for(f"{STATUS} === 'completed'")


def tabs(studio: Studio) -> None:
    """Take a run that is over in each tab: graph, gantt, calls, log."""
    book = studio.open(DEFINE, RUN)
    book.run_cells(1, 2)
    book.wait_for(f"{STATUS} === 'completed'")
    book.page.click(".nbf-graph-tab .nbf-tool:text-is('Critical path')")
    book.page.click(".nbf-node[data-name=fetch-2]")
    book.wait_for("document.querySelector('.nbf-detail')?.innerText.includes('Arguments')")
    studio.take(book, "graph")
    book.page.click(".nbf-detail [aria-label='Close the details']")
    tab(book, "Gantt")
    studio.take(book, "gantt")
    tab(book, "Calls")
    for _ in range(2):
        book.page.click(".nbf-calls [data-column=ran] button")
    studio.take(book, "calls")
    tab(book, "Log")
    studio.take(book, "log")


def failed(studio: Studio) -> None:
    """Take a run that failed, with the details of the call that did it."""
    book = studio.open(DEFINE, f"run = demand({CITIES}, strict=True)\nrun")
    book.run_cells(1, 2)
    book.wait_for(f"{STATUS} === 'failed'")
    book.page.click(".nbf-node[data-name=clean-4]")
    book.wait_for("document.querySelector('.nbf-detail')?.innerText.includes('raise ValueError')")
    studio.take(book, "failed")


def frames(studio: Studio) -> None:
    """Take a run under way whose calls were asked for in groups."""
    book = studio.open(FRAMES, 'run = demand(["Lisbon", "Oslo", "Nairobi"])\nrun')
    book.run_cells(1, 2)
    book.wait_for(f"{boxes('done')} >= 6")
    studio.take(book, "frames")


def many(studio: Studio) -> None:
    """Take a run of a thousand calls under way, by activity."""
    book = studio.open(MANY)
    book.run_cells(1, 1)
    book.wait_for("document.querySelectorAll('.nbf-node').length === 4")
    book.wait_for("/[5-9]\\d\\d done/.test(document.querySelector('.nbf-chips').innerText)")
    studio.take(book, "many")


def compare(studio: Studio) -> None:
    """Take two runs side by side, and the report of one as a page."""
    book = studio.open(
        DEFINE,
        f"before = demand({CITIES})\nbefore.wait()",
        f"nbflow.configure(max_workers=6)\nafter = demand({CITIES})\nafter.wait()",
        "nbflow.compare(before, after)",
        'after.report("report.html")',
    )
    book.start(1)
    book.wait(60)
    book.wait_for(
        "[...document.querySelectorAll('.jp-OutputArea-output img')].at(-1)?.naturalWidth > 300"
    )
    studio.take(book, "compare", ".jp-OutputArea-output img")
    page = book.page.context.new_page()
    page.goto((studio.folder / "report.html").as_uri())
    page.wait_for_function("() => document.querySelectorAll('.nbf-node').length === 20")
    page.click(".nbf-tab:text-is('Gantt')")
    page.mouse.move(2, 2)
    page.wait_for_timeout(400)
    box = page.locator("footer").bounding_box()
    area = {"x": 0, "y": 0, "width": 1240, "height": box["y"] + box["height"] + 16}
    keep("report", page.screenshot(clip=area))
    page.close()


def form(studio: Studio) -> None:
    """Take a form, filled in but for a mistake."""
    book = studio.open(DEFINE, FORM)
    book.run_cells(1, 2)
    found = book.page.locator("[class*='nbf-form-']:has(> .widget-label)").first
    found.locator("select").select_option("Oslo")
    found.locator("input[type=date]").fill("2026-11-23")
    found.locator("input[type=text], textarea").first.fill("0.4, 0.35, a quarter")
    found.locator("text=is not a number").first.wait_for()
    found.locator(".widget-label").first.click()
    studio.take(book, "form", "[class*='nbf-form-']:has(> .widget-label)")


MAKERS: dict[Callable[[Studio], None], tuple[str, ...]] = {
    live: ("live", "dark"),
    tabs: ("graph", "gantt", "calls", "log"),
    failed: ("failed",),
    frames: ("frames",),
    many: ("many",),
    compare: ("compare", "report"),
    form: ("form",),
}


@contextmanager
def workshop() -> Iterator[str]:
    """Make a folder whose name, which tracebacks show, is the same each time."""
    folder = Path(tempfile.gettempdir()) / "nbflow-pictures"
    folder.mkdir()
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder)


@contextmanager
def studios() -> Iterator[Callable[[int], Any]]:
    """Run a server and a browser, and give what opens a studio in a page of its own."""
    with (
        workshop() as folder,
        serving(Path(folder)) as lab,
        browsing() as chrome,
    ):
        shutil.copy(HERE / "shop.py", folder)

        @contextmanager
        def studio(width: int) -> Iterator[Studio]:
            view = {"width": width, "height": 1700}
            with opening(lab, chrome, viewport=view, device_scale_factor=1.5) as make:
                yield Studio(make, Path(folder))

        yield studio


def main() -> None:
    """Make the pictures that are asked for."""
    known = [name for names in MAKERS.values() for name in names]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"which to make, of {' '.join(known)}")
    wanted = parser.parse_args().names
    if strange := sorted(set(wanted) - set(known)):
        parser.error(f"there is no picture {', '.join(strange)}; there are {', '.join(known)}")
    with studios() as studio:
        for maker, names in MAKERS.items():
            if not wanted or set(wanted) & set(names):
                with studio(1240 if maker is compare else 1040) as opened:
                    maker(opened)


if __name__ == "__main__":
    main()
