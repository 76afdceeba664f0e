"""What is left of a run where its panel cannot be, and what of it is in the file."""

from __future__ import annotations

import json

import pytest

from tests.browser.front import Notebook
from tests.browser.panels import FLOW, PICTURES, STATUS, boxes, open_gate

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120)]

SAVE_STATE = "@jupyter-widgets/jupyterlab-manager:saveWidgetState"
VIEW = "application/vnd.jupyter.widget-view+json"


def errors_shown(book: Notebook) -> list[str]:
    """Give what the page says of widgets that it cannot show."""
    words = book.page.inner_text(".jp-Notebook")
    return [w for w in ("Error displaying widget", "Loading widget", "Traceback") if w in words]


def test_w2_a_panel_that_is_closed_hurts_nothing(notebook):
    """W2: with its comm closed in mid-run the run ends well, and the picture takes its place."""
    close = "import ipywidgets\nipywidgets.Widget.close_all()"
    book = notebook(
        FLOW, "run = revenue(['eu', 'us'], 'c')\nrun", close, "print(run.result())\nrun.status"
    )
    book.run_cells(0, 2)
    book.wait_for(f"{boxes('running')} === 2")
    book.run_cells(2, 1)
    open_gate(book, "c-eu", "c-us")
    book.run_cells(3, 1)
    book.says(3, "{'total': 4}\n")
    book.wait_for(f"{PICTURES} === 1")
    assert book.page.locator("section.nbf").count() == 0
    assert errors_shown(book) == []
    assert [o["output_type"] for o in book.outputs(1)] == ["display_data"] * 3
    assert book.errors == []


def test_w3_without_anywidget_there_is_a_picture(notebook):
    """W3: where anywidget is missing the run is a picture with its text, renewed in its place."""
    hide = "import sys\nsys.modules['anywidget'] = None"
    book = notebook(hide, FLOW, "run = revenue(['eu'], 'm')\nrun", "print(run.status)")
    book.run()
    book.says(3, "running\n")
    book.wait_for("document.body.textContent.includes('running when this was saved')")
    open_gate(book, "m-eu")
    book.wait_for(f"{PICTURES} === 1")
    (picture,) = book.outputs(2)
    assert set(picture["data"]) == {"image/png", "image/svg+xml", "text/plain"}
    assert "✓ completed" in "".join(picture["data"]["text/plain"])
    assert errors_shown(book) == []
    assert book.errors == []


SECRET = "correct-horse-battery-staple"
SECRETIVE = f"""
import nbflow
nbflow.configure(store=":memory:", on="threads")
key = nbflow.Secret.of("api", {SECRET[:14]!r} + {SECRET[14:]!r})

@nbflow.activity
def call(page, key, plain):
    print("with", key.get())
    if page == 2:
        raise ValueError("refused: " + key.get())
    return [key.get()]

@nbflow.workflow
def calls():
    return [call(page, key, key.get()) for page in (1, 2)]

run = calls()
run
"""
FINAL = f"{STATUS} === 'failed' && {boxes('failed')} === 1"


def kept(book: Notebook) -> str:
    """Save the notebook once its picture is in it, and give the file's text."""
    book.wait_for(
        """window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells[0]
        .outputs.some((output) => output.data?.['image/png'])"""
    )
    book.save()
    return book.path.read_text(encoding="utf-8")


def test_w8_no_secret_is_in_a_saved_notebook(notebook):
    """W8: neither outputs nor saved widget state hold a secret's value, and both are small."""
    book = notebook(SECRETIVE)
    book.run()
    book.wait_for(FINAL)
    plain = kept(book)
    assert "widgets" not in json.loads(plain)["metadata"]  # unless one asks for it
    book.command(SAVE_STATE)
    try:
        whole = kept(book)
        states = json.loads(whole)["metadata"]["widgets"]
    finally:
        book.command(SAVE_STATE)
    panels = [s for s in next(iter(states.values()))["state"].values() if "head" in str(s["state"])]
    assert panels, "the panel's state was to be saved"
    source = json.dumps(json.loads(whole)["cells"][0]["source"])
    assert SECRET not in source  # as it is put together there
    for text in (plain, whole):
        assert SECRET not in text
        assert "[secret api]" in text
    assert len(plain) < 300_000
    assert len(whole) < 600_000


def test_w8_what_is_saved_of_a_big_run_is_small(notebook):
    """W8: the file with the widget state of two thousand calls stays below two megabytes."""
    many = """
    import nbflow
    nbflow.configure(store=":memory:", on="threads", max_workers=4)
    @nbflow.activity
    def step(n, text):
        return text
    @nbflow.workflow
    def many():
        return [step(i, "x" * 1000) for i in range(2000)][-1]
    run = many()
    run
    """.replace("\n    ", "\n")
    book = notebook(many)
    book.run(60)
    book.wait_for(f"{STATUS} === 'completed'", 60)
    assert len(kept(book)) < 1_000_000
    book.command(SAVE_STATE)
    try:
        assert len(kept(book)) < 2_000_000
    finally:
        book.command(SAVE_STATE)
