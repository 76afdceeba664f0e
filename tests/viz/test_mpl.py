from __future__ import annotations

import base64
import io
import subprocess
import sys
import threading
from collections import Counter

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection, PathCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.viz import palette
from nbflow.viz.drawing import opened
from nbflow.viz.mpl import Picture, draw, plot_graph, plot_profile, plot_run, png
from nbflow.viz.mpl_graph import GraphPainter
from nbflow.viz.views import GraphView, ProfileView
from tests.viz.runlog import RunLog, hostile, revenue, simulate


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]


def colors(data: bytes) -> set[str]:
    with Image.open(io.BytesIO(data)) as image:
        dots = Counter(image.convert("RGB").tobytes().hex("-", 3).split("-"))
    return {f"#{color}" for color, count in dots.items() if count > 20}


def near(found: set[str], color: str) -> bool:
    def distance(other: str) -> int:
        return max(abs(int(other[i : i + 2], 16) - int(color[i : i + 2], 16)) for i in (1, 3, 5))

    return min(map(distance, found)) <= 12


def test_a_figure_says_what_the_svg_says():
    """Boxes have ids, times, arguments and errors; charts have workers and figures."""
    events = simulate(revenue(2), failing={"fetch-2"})
    graph = words(plot_graph(Graph.of(events)))
    assert {"fetch-1", "convert-2", "total-1", "'eu'", "2 done", "1 failed"} <= set(graph)
    chart = words(plot_profile(Profile.of(events)))
    assert {"revenue in time", "thread-0", "critical path"} <= set(chart)


def test_both_in_one_figure():
    """The picture that is saved has the graph above the chart."""
    events = simulate(revenue(2))
    figure = plot_run(Graph.of(events), Profile.of(events))
    height = {text.get_text(): text.get_position()[1] for text in figure.findobj(Text)}
    assert height["revenue"] < height["'eu'"] < height["revenue in time"]


@pytest.mark.parametrize("suffix", ["pdf", "png", "svg"])
def test_a_figure_can_be_saved(tmp_path, suffix):
    """Figures are ready for papers; no glyph that the font lacks is warned of."""
    events = hostile()
    for i, figure in enumerate((plot_graph(Graph.of(events)), plot_profile(Profile.of(events)))):
        path = tmp_path / f"{i}.{suffix}"
        figure.savefig(path)
        assert path.stat().st_size > 1000


def test_dollar_signs_are_no_formulas():
    """A name is drawn letter by letter, also where TeX would read it otherwise or fail."""
    figure = plot_graph(Graph.of(RunLog(r"$\frac{1}$ costs $x_1$").events))
    assert r"$\frac{1}$ costs $x_1$" in words(figure)
    assert not [text for text in figure.findobj(Text) if text.get_parse_math() and text.get_text()]
    FigureCanvasAgg(figure).draw()


def test_one_may_draw_on_axes_of_ones_own():
    """Given axes are drawn on and nothing else of their figure is touched."""
    figure = Figure(figsize=(10, 4))
    left, right = figure.subplots(1, 2)
    events = simulate(revenue(2))
    assert plot_graph(Graph.of(events), ax=left) is figure
    assert plot_profile(Profile.of(events), ax=right) is figure
    assert len(figure.axes) == 2
    assert "fetch-1" in {text.get_text() for text in left.texts}
    assert "revenue in time" in {text.get_text() for text in right.texts}
    sizes = {text.get_fontsize() for text in right.texts}
    FigureCanvasAgg(figure).draw()
    assert max(sizes) < 10


def test_the_critical_path_is_drawn_heavily_unless_it_is_left_out():
    """Dark rims and heavy lines, in graph and chart, with a line in either's legend."""
    log = RunLog()
    log.asked("a-1")
    log.asked("b-1")
    log.asked("c-1", ("a-1", "b-1"))
    log.failed("a-1", 0.0, 1.0, "w-1", retry_at=1.5)
    log.succeeded("b-1", 0.0, 0.5, "w-2")
    log.succeeded("a-1", 2.0, 5.0, "w-1", attempt=2)
    log.succeeded("c-1", 5.0, 8.0, "w-1", packing=0.5)
    graph, profile = Graph.of(log.events), Profile.of(log.events)

    def dark(figure: Figure) -> int:
        """Count the shapes with a dark rim."""
        ink, found = to_rgba(palette.INK), 0
        for shape in figure.findobj(Collection):
            assert isinstance(shape, Collection)
            rim = np.asarray(shape.get_edgecolor())
            if isinstance(shape, PathCollection | PolyCollection) and len(rim):
                found += len(shape.get_paths()) * bool(np.allclose(rim[0], ink))
        return found

    assert dark(plot_graph(graph, profile=profile)) == 2 + 1
    assert dark(plot_graph(graph, critical=False)) == 0
    assert dark(plot_profile(profile)) == 3 + 1
    assert dark(plot_profile(profile, critical=False)) == 0
    assert dark(plot_run(graph, profile)) == 3 + 4
    assert dark(plot_run(graph, profile, critical=False)) == 0
    assert "critical path 7.00 s" in words(plot_graph(graph, profile=profile))
    chart = words(plot_profile(profile))
    assert {"critical path", "queued", "packing", "a-1 #2"} <= set(chart)
    assert any(text.startswith("work 7.50 s · critical path 7.00 s") for text in chart)


def test_opened_groups_are_drawn_beside_closed_ones():
    """Calls, groups and the counts of bundles, hostile names among them."""
    for events, open_ in ((simulate(revenue(8)), {"fetch"}), (hostile(), {"other"})):
        graph = Graph.of(events)
        shown = opened(graph, open_)
        figure = draw([GraphPainter(shown)], None)
        FigureCanvasAgg(figure).draw()
        found = words(figure)
        if "fetch" in open_:
            assert {f"fetch-{i}" for i in range(1, 9)} | {"convert", "total"} <= set(found)


def test_pyplot_is_left_alone():
    """Drawing needs no window and leaves no figure in pyplot's hands."""
    code = (
        "import sys; from nbflow.viz.views import GraphView; "
        "assert 'matplotlib' not in sys.modules; "
        "GraphView.of([])._repr_mimebundle_(); "
        "assert 'matplotlib' in sys.modules; "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_png_has_the_colours_of_statuses():
    """Few colours are kept, and those that mean something are among them."""
    data = png(GraphView.of(simulate(revenue(2), failing={"fetch-2"})))
    found = colors(data)
    for status in ("done", "failed", "skipped"):
        assert near(found, palette.STATUS_COLORS[status])
    assert near(found, palette.ACTIVITY_COLORS[0])
    assert "#ffffff" in found or near(found, "#ffffff")


def test_bars_have_the_colours_of_activities():
    """A running, a failed and a done bar are all seen."""
    log = RunLog()
    for call in ("a-1", "b-1", "c-1", "d-1"):
        log.asked(call)
    log.succeeded("a-1", 0.0, 2.0, "w-1")
    log.failed("b-1", 0.0, 2.0, "w-2")
    log.started("c-1", 0.5, "w-3")
    log.started("d-1", 0.5, "w-4")
    log.cancelled("d-1", 1.5)
    log.asked("late-1", at=3.0)
    found = colors(png(ProfileView.of(log.events)))
    assert near(found, palette.ACTIVITY_COLORS[0])
    assert near(found, palette.STATUS_COLORS["failed"])
    assert near(found, palette.STATUS_COLORS["running"])
    assert near(found, palette.tint(palette.STATUS_COLORS["cancelled"], 0.25))


@pytest.mark.parametrize("calls", [0, 1, 40, 300, 3000])
def test_pngs_of_all_sizes(calls):
    """A PNG is at most 4,000 dots long and small enough to be saved in a notebook."""
    events = simulate([(f"a-{i}", (f"a-{i // 2}",) if i else ()) for i in range(calls)], workers=5)
    for view in (GraphView.of(events), ProfileView.of(events)):
        data = png(view)
        with Image.open(io.BytesIO(data)) as image:
            assert max(image.size) <= 4001
        assert len(data) < 250_000


def test_threads_may_draw_at_the_same_time():
    """Pictures are drawn by whoever has a reason to, also from a thread beside the kernel's."""
    events = simulate(revenue(3))
    expected = png(GraphView.of(events))
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(png(GraphView.of(events)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


@pytest.mark.parametrize("view", [GraphView, ProfileView])
def test_notebooks_get_text_svg_and_png(view):
    """The bundle has what every front end can show, or only what it asks for."""
    shown = view.of(simulate(revenue(2)))
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/svg+xml", "image/png"}
    assert bundle["image/svg+xml"] == shown.svg()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert set(shown._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}
    assert set(shown._repr_mimebundle_(exclude={"image/png"})) == {"text/plain", "image/svg+xml"}


def test_a_plot_shows_itself_in_a_notebook():
    """A figure of its own is shown without pyplot."""
    figure = GraphView.of(simulate(revenue(2))).plot()
    assert isinstance(figure, Picture)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert "revenue in time" in words(ProfileView.of(simulate(revenue(2))).plot())
