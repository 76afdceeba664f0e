"""The same in Notebook 7."""

from __future__ import annotations

import pytest

from tests.browser import test_kernels as the_same
from tests.browser.front import NOTEBOOK

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]


def test_states_change_whether_a_cell_runs_or_not(notebook, tmp_path):
    """A panel is alive while no cell runs, and while one holds the kernel up."""
    the_same.check_life(notebook, tmp_path, view=NOTEBOOK)


def test_cancel_while_a_cell_waits_for_the_run(notebook):
    """Cancel ends the run and its processes within 2 s; cells behind run as ever."""
    the_same.check_cancel_while_waiting(notebook, view=NOTEBOOK)


def test_cancel_while_another_cell_blocks(notebook):
    """Comms have a subshell here too: Cancel works at once."""
    the_same.check_cancel_while_blocked(notebook, view=NOTEBOOK)


def test_a_reload_shows_the_panel_again(notebook, tmp_path):
    """The page is opened anew while the run goes on: there is the same panel, alive."""
    the_same.check_reload(notebook, tmp_path, view=NOTEBOOK)


def test_a_killed_kernel_is_no_end_of_a_run(notebook):
    """W10: the panel says ``disconnected``, has no Cancel, and no worker outlives the kernel."""
    the_same.check_death(notebook, view=NOTEBOOK)


def test_a_saved_notebook_shows_the_final_picture(notebook, tmp_path):
    """W7: after a restart, trusted or somebody else's, there is the picture alone."""
    the_same.check_saved(notebook, tmp_path, view=NOTEBOOK)
