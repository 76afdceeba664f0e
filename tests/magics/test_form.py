"""Forms in a notebook: what their runs capture, and what is seen and saved of them."""

from __future__ import annotations

import threading


def test_a_run_takes_the_notebook_as_it_is_when_run_is_pressed(shell):
    """Capture is that of a call: what changes before the press is seen, what changes later not."""
    shell.ip.user_ns["gate"] = gate = threading.Event()
    shell.cell("K = 2")
    shell.cell("%%activity scaled(x: int)", "gate.wait()", "K * x")
    shell.cell("%%workflow w(x: int = 1)", '"""Scales."""', "scaled(x)")
    shell.cell("form = w.form()", "K = 3")
    shell.cell("form._button.click()", "K = 4")
    gate.set()
    assert shell["form"].run.result() == 3


def test_a_terminal_shows_the_form_as_text(shell):
    """Without a kernel there are no widgets: the cell prints what is asked for."""
    shell.cell("%%workflow w(x: int = 1)", '"""Scales."""', "x")
    assert shell.cell("w.form()").endswith(
        "form of workflow w\nScales.\n  x: a whole number = 1\n"
        "Here is no widget to fill in; start a run by w(x)\n"
    )


def test_where_nobody_is_looking_it_is_text_too(headless):
    """Under nbclient nobody can fill in a form: its text is in the notebook, and no error."""
    done = headless("%load_ext nbflow", "%%workflow w(x: int)\nx", "w.form()")
    assert done.error is None
    assert "x: a whole number *" in done.text(2)
    assert "start a run by w(x)" in done.text(2)


def test_a_form_is_displayed_with_what_is_saved_of_it(kernel):
    """There is the widget; beside it, hidden while it lives, its text, and then the latest run."""
    kernel.run("%%workflow w(x: int)", "x")
    reply = kernel.run("form = w.form()\nform")
    style, widget, saved = (output["data"] for output in reply.outputs)
    assert "text/html" in style
    assert (
        kernel.run("print(form.widget.model_id)").text.strip()
        == (widget["application/vnd.jupyter.widget-view+json"]["model_id"])
    )
    assert "x: a whole number *" in saved["text/plain"]
    shown = reply.outputs[2]["transient"]["display_id"]
    kernel.run("form.fields['x'].widget.value = '3'")
    kernel.run("form._button.click()")
    updates = kernel.updates(shown, "image/png")
    assert "w  ✓ completed" in updates[-1]["text/plain"]
    found = kernel.run("print(form.run.result())").text
    assert found == "3\n", found[-3000:]
