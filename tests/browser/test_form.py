"""A form on a page: filled in by keyboard and mouse."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120)]

SETUP = '''
import nbflow
nbflow.configure(store=":memory:", on="threads")

@nbflow.activity
def total(counts, rate):
    return sum(counts) * rate

@nbflow.workflow
def revenue(counts: list[int], rate: float = 2.0):
    """Adds up <b>counts</b>."""
    return total(counts, rate)

form = revenue.form()
form
'''
FORM = "[class*='nbf-form-']:has(> .widget-label)"


def test_a_form_is_filled_in_and_starts_runs(notebook, tmp_path):
    """Errors are beside the fields, Run waits for them, Enter runs, and panels come below."""
    book = notebook(SETUP)
    book.run()
    form = book.page.locator(FORM).first
    run = form.locator("button", has_text="Run").first
    counts, rate = form.locator("input[type=text]").nth(0), form.locator("input[type=text]").nth(1)
    counts.wait_for()
    assert "Adds up <b>counts</b>." in form.inner_text()
    assert "to be filled in: counts" in form.inner_text()
    assert run.is_disabled()
    counts.fill("1, x")
    form.locator("text=item 2: x is not a whole number").first.wait_for()
    counts.fill("1, 2, 3")
    form.locator("text=item 2").first.wait_for(state="hidden")
    book.wait_for(f'!document.querySelector("{FORM} button").disabled')
    book.shot(tmp_path / "form.png")
    run.click()
    book.wait_for("document.querySelector('section.nbf')?.dataset.status === 'completed'")
    assert "12.0" in book.page.inner_text("section.nbf")
    first = book.page.get_attribute("section.nbf", "data-run")
    rate.fill("3")
    rate.press("Enter")
    book.wait_for(f"document.querySelector('section.nbf')?.dataset.run !== '{first}'")
    book.wait_for("document.querySelector('section.nbf')?.innerText.includes('18.0')")
    book.add("print([run.result() for run in form.history])")
    book.start(1)
    book.wait()
    book.says(1, "[12.0, 18.0]\n")
    book.shot(tmp_path / "runs.png")
    assert book.errors == []
