"""X: secrets and payloads, where no other test shows the case."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import nbflow
from tests.catalogue.conftest import WAIT

CANARY = "canary0123456789abcdefcanary"


def test_x03_credentials_of_the_environment_are_stored_nowhere(disk, monkeypatch):
    """What a library finds in its own variables is in no file of the store and in no picture."""
    for name in ("AWS_SECRET_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"):
        monkeypatch.setenv(name, CANARY)

    @nbflow.activity
    def use() -> int:
        import os

        return len(os.environ["AWS_SECRET_ACCESS_KEY"])

    @nbflow.workflow
    def flow() -> int:
        return use().result()

    nbflow.configure(on="processes", max_workers=1)
    run = flow.start()
    assert run.result(WAIT) == len(CANARY)
    shown = [repr(run), repr(run.captured), run.graph.svg(), run.profile.text(), run.source]
    files = [path.read_bytes() for path in disk.rglob("*") if path.is_file()]
    assert files
    assert not any(CANARY in text for text in shown)
    assert not any(CANARY.encode() in data for data in files)


def test_x03_nothing_asks_for_credentials():
    """No parameter of a public function or class is one: `Secret` alone holds values."""
    word = re.compile(
        r"(^|_)(password|passwd|secret_key|access_key|api_key|credentials?|token)($|_)"
    )
    found = []
    for name in nbflow.__all__:
        thing = getattr(nbflow, name)
        if callable(thing):
            try:
                parameters = inspect.signature(thing).parameters
            except ValueError:
                continue
            found += [f"{name}({p})" for p in parameters if word.search(p)]
    assert found == []
    assert not Path(".nbflow").exists()
