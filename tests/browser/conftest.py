"""Fixtures of the tests in real front ends: one server, one browser, a kernel a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.front import CHROMIUM, Lab, Notebook, browsing, opening, serving


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with serving(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    with browsing() as browser:
        yield browser


@pytest.fixture
def notebook(lab: Lab, chromium: Any) -> Iterator[Callable[..., Notebook]]:
    """Open a notebook with these cells; its kernel ends with the test.

    It is shown in JupyterLab unless `view` says otherwise, with the kernel of this environment
    unless `ipykernel` names one of the versions of `tests.kernels`.
    """
    with opening(lab, chromium) as make:
        yield make
