"""Executors that are kept for all programs of a module: a pool of processes takes a while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import nbflow
from nbflow.running.config import settings


@pytest.fixture(scope="module", autouse=True)
def kept_executors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """End the executors once all programs have run; keep what is fetched out of the home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBFLOW_BINARIES", str(tmp_path_factory.mktemp("binaries")))
        yield
        settings.close()


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each program settings of its own, in the place of what other tests have."""
    monkeypatch.delenv("NBFLOW_STORE", raising=False)
    before = settings.on, settings.options, settings.store, settings.middleware
    nbflow.configure(output="log")
    yield
    settings.on, settings.options, settings.store, settings.middleware = before
    settings.output = "auto"
