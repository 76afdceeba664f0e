"""A secret's value is written nowhere: not in the log, its blobs, pictures, notebooks or output."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbflow
from nbflow.core import redact as blots
from nbflow.core.errors import DefinitionError, RemoteError, SecretMissing
from nbflow.core.keys import digest_of
from nbflow.core.payload import Packed, pack, unpack
from nbflow.core.redact import redact
from nbflow.running.session import sessions
from nbflow.store import care
from nbflow.viz import preview

CANARY = "kaNaRy-7f3e/9\"2'é"
"""With characters that JSON, URLs and reprs write in other ways."""


@nbflow.activity
def tell(key: nbflow.Secret, many: Any) -> str:
    value = key.get()
    print("the key is", value)
    print("and as JSON", json.dumps([value]), file=sys.stderr)
    logging.getLogger("somebody").warning("repr %r", value)
    return f"{len(value)} characters, {len(many)}"


class Refused(Exception):
    """Holds what it was made of."""


@nbflow.activity
def refuse(key: nbflow.Secret, after: str) -> None:
    local = key.get()
    raise Refused(f"401 for {local}", {"Authorization": "Bearer " + local})


@nbflow.workflow
def flow(key: nbflow.Secret, other: Any) -> Any:
    return refuse(key, tell(key, [other, key]))


def spilled(directory: Path, *texts: str) -> list[str]:
    """Give the places that hold the canary in any form."""
    forms = {CANARY, json.dumps(CANARY)[1:-1], repr(CANARY)[1:-1], "kaNaRy"}
    found = [f"text {n}" for n, text in enumerate(texts) if any(form in text for form in forms)]
    files = [path for path in directory.rglob("*") if path.is_file()]
    return found + [
        str(path) for path in files if any(form.encode() in path.read_bytes() for form in forms)
    ]


@pytest.mark.parametrize("on", ["threads", "processes", "inline", "asyncio"])
@pytest.mark.parametrize("kind", ["env", "given"])
@pytest.mark.parametrize("big", [False, True], ids=["row", "blob"])
@pytest.mark.case("X1")
def test_the_canary_is_found_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on: Any, kind: str, big: bool
) -> None:
    """Log, write-ahead log, blobs, pictures, reports, tables, JSON, errors and output: nowhere."""
    nbflow.configure(on=on, store=str(tmp_path / "store"))
    monkeypatch.setenv("NBFLOW_TEST_KEY", CANARY)
    key = nbflow.Secret.env("NBFLOW_TEST_KEY")
    if kind == "given":
        monkeypatch.delenv("NBFLOW_TEST_KEY")
        key = nbflow.Secret.of("api", CANARY)
    other = [object, "x" * 70_000 if big else "x"]
    stdout, stderr = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", stderr)
    nbflow.configure(output="both")
    run = flow.start(key, other)
    with pytest.raises(Exception, match="401 for") as caught:
        run.result()
    assert run.calls["tell-1"].result == f"{len(CANARY)} characters, 2"
    assert "Secret(" in repr(run.calls["tell-1"])
    assert "[secret " in run.output()
    assert "[secret " in str(caught.value)
    out = tmp_path / "out"
    out.mkdir()
    run.graph.save(out / "graph.svg")
    run.graph.save(out / "graph.json")
    run.profile.save(out / "profile.svg")
    run.profile.save(out / "profile.csv")
    run.report(out / "report.html")
    texts = [
        repr(run),
        repr(run.calls),
        str(run.exception()),
        repr(list(run.events())),
        run.output(),
    ]
    texts += [stdout.getvalue(), "".join(caught.value.__notes__)]
    if on != "processes":
        texts.append(stderr.getvalue())
    care.export(tmp_path / "store", tmp_path / "runs.zip", pickles=True)
    with zipfile.ZipFile(tmp_path / "runs.zip") as archive:
        archive.extractall(tmp_path / "unzipped")
    assert spilled(tmp_path, *texts) == []


CELLS = [
    "%load_ext nbflow\nimport os, nbflow\nnbflow.configure(store=os.environ['STORE'])",
    "key = nbflow.Secret('ENV:NBFLOW_TEST_KEY'); key",
    "%%activity fetch(page: int, key)\nprint('with', key.get())\nassert page < 3, key.get()\npage",
    "%%workflow pages(key: nbflow.Secret)\n[fetch(page, key) for page in (1, 2)]",
    "run = pages.start(key); run",
    "run.result()",
    "%nbflow log",
    "run.graph",
    "run.profile",
    "run.calls",
    "%nbflow runs",
    "fetch.fn(3, key) if False else nbflow.run(nbflow.workflow(lambda: fetch(3, key)))",
]


@pytest.mark.case("X1")
def test_the_canary_is_not_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs of cells, pictures, panels and the report of a failure, as a saved file has them."""
    monkeypatch.setenv("NBFLOW_TEST_KEY", CANARY)
    monkeypatch.setenv("STORE", str(tmp_path / "store"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client = nbclient.NotebookClient(notebook, kernel_name="python3", allow_errors=True)
    client.execute()
    written = nbformat.writes(notebook)
    (tmp_path / "saved.ipynb").write_text(written)
    assert "Secret(NBFLOW_TEST_KEY)" in written
    assert "with [secret NBFLOW_TEST_KEY]" in written
    assert "AssertionError" in json.dumps(notebook.cells[-1].outputs)
    errors = [
        output
        for cell in notebook.cells[:-1]
        for output in cell.outputs
        if output.output_type == "error"
    ]
    assert errors == []
    assert spilled(tmp_path, written) == []


def test_the_log_holds_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands for the secret in the log is its reference, in JSON, and reads back as it."""
    monkeypatch.setenv("NBFLOW_TEST_KEY", CANARY)
    secret = nbflow.Secret("ENV:NBFLOW_TEST_KEY")
    stored = pack({"key": [secret]}, "argument")
    assert stored == Packed("json", '{"key":[{"$secret":"ENV:NBFLOW_TEST_KEY"}]}')
    assert unpack(stored, str, lambda _: b"") == {"key": [secret]}
    assert preview.value_of(stored) == "{'key': [Secret(NBFLOW_TEST_KEY)]}"


def test_a_secret_shows_its_name_and_travels_as_a_reference(monkeypatch: Any) -> None:
    """Its repr, pickle, copy and digest know nothing of the value."""
    monkeypatch.setenv("NBFLOW_TEST_KEY", CANARY)
    secret = nbflow.Secret("ENV:NBFLOW_TEST_KEY")
    assert repr(secret) == str(secret) == f"{secret}" == "Secret(NBFLOW_TEST_KEY)"
    assert b"kaNaRy" not in pickle.dumps(secret)
    assert pickle.loads(pickle.dumps(secret)) == copy.deepcopy(secret) == secret
    before = digest_of(secret)
    monkeypatch.setenv("NBFLOW_TEST_KEY", "another one")
    assert digest_of(secret) == before
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("wrong", ["sk-live-12345678", "", "ENV:", "ENV:a b", "FILE:x", "ENV:../x"])
def test_a_value_in_the_place_of_a_reference_is_refused_without_repeating_it(wrong: str) -> None:
    """Whoever passes the secret itself is told how to, and does not find it in the traceback."""
    with pytest.raises(DefinitionError, match=r"Secret\('ENV:NAME'\)") as caught:
        nbflow.Secret(wrong)
    assert not wrong or wrong not in str(caught.value).replace("ENV:NAME", "")


def test_a_missing_secret_says_which_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment variable that is not set, and a value that this process was not given."""
    monkeypatch.delenv("NBFLOW_TEST_KEY", raising=False)
    with pytest.raises(SecretMissing, match=r"NBFLOW_TEST_KEY.*is not set"):
        nbflow.Secret.env("NBFLOW_TEST_KEY").get()
    with pytest.raises(SecretMissing, match=r"Secret.of\('api', value\)"):
        nbflow.Secret("GIVEN:api").get()
    with pytest.raises(DefinitionError, match="empty"):
        nbflow.Secret.of("api", "")


def test_a_new_value_reaches_processes_that_run_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """``os.environ[...] = getpass()`` in a cell after the pool was started is enough."""
    nbflow.configure(on="processes", max_workers=1)

    @nbflow.activity
    def size(key: nbflow.Secret) -> int:
        return len(key.get())

    @nbflow.workflow
    def sizes(key: nbflow.Secret) -> int:
        return size(key).result()

    monkeypatch.setenv("NBFLOW_TEST_KEY", "x" * 10)
    key = nbflow.Secret.env("NBFLOW_TEST_KEY")
    assert sizes.start(key).result() == 10
    monkeypatch.setenv("NBFLOW_TEST_KEY", "x" * 20)
    assert sizes.start(key).result() == 20


def test_an_error_that_holds_a_secret_is_not_kept_as_pickle(monkeypatch: Any) -> None:
    """Its text is, without the secret; a handle gives a RemoteError of its kind."""
    nbflow.Secret.of("api", CANARY)

    @nbflow.activity
    def hide() -> None:
        raise Refused("no", CANARY)

    @nbflow.workflow
    def hiding() -> None:
        hide().result()

    run = hiding.start()
    run.wait()
    sessions.clear()
    assert isinstance(run.exception(), RemoteError)
    failure = run.calls["hide-1"].failure
    assert failure is not None
    assert failure.pickled is None


@pytest.mark.case("X2")
def test_no_values_of_variables_are_kept_of_a_traceback() -> None:
    """Lines of source are, locals are not."""

    @nbflow.activity
    def failing() -> None:
        local = "kaNa" + chr(82) + "y"
        raise ValueError(len(local))

    @nbflow.workflow
    def fails() -> None:
        failing().result()

    run = fails.start()
    run.wait()
    failure = run.calls["failing-1"].failure
    assert failure is not None
    assert "raise ValueError" in failure.frames[-1].source
    assert "kaNaRy" not in repr(failure)
    assert b"kaNaRy" not in (failure.pickled or b"")


# -------------------------------------------------------------------- blotting out


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("id AKIAIOSFODNN7EXAMPLE!", "AKIAIOSFODNN7EXAMPLE"),
        ("id ASIAIOSFODNN7EXAMPLE!", "ASIAIOSFODNN7EXAMPLE"),
        ("LTAI5tKxyz0123456789abcd", "LTAI5tKxyz0123456789abcd"),
        ("Authorization: Bearer abc.def-0123456789_x", "abc.def-0123456789_x"),
        ("authorization: bearer abc.def-0123456789_x", "abc.def-0123456789_x"),
        ("ghp_" + "a1B2" * 9, "ghp_" + "a1B2" * 9),
    ],
)
@pytest.mark.case("X2")
def test_what_looks_like_a_key_is_blotted_out(text: str, hidden: str) -> None:
    """Also if nobody has said that it is a secret."""
    assert hidden not in redact(text)
    assert "[secret]" in redact(text)


@pytest.mark.parametrize(
    "text", ["AKIA", "the bearer of news", "LTAI5", "light", "BEARER", "Bearer short", ""]
)
def test_other_text_is_left_alone(text: str) -> None:
    """Words that only begin so are none."""
    assert redact(text) == text


@given(st.text(min_size=4), st.text(), st.text())
def test_no_known_value_survives(value: str, before: str, after: str) -> None:
    """Wherever in a text it stands."""
    blots.learn("x", value)
    try:
        shown = redact(before + value + after).replace("[secret x]", "").replace("[secret]", "")
        assert value not in shown or value in "[secret x]" or value in before + after
    finally:
        blots._known.clear()
        blots._values = None


def test_long_and_short_values(capsys: Any) -> None:
    """Each line of a key of many lines is blotted out; a value of three characters is not."""
    blots.learn("pem", "-----BEGIN KEY-----\nMIIEvgIBADANBgkqhkiG9w0B\n-----END KEY-----")
    blots.learn("tiny", "abc")
    assert "MIIEvg" not in redact("MIIEvgIBADANBgkqhkiG9w0B")
    assert redact("abc") == "abc"


def test_what_is_known_is_not_learned_again() -> None:
    """Each time that a log is read, its secrets are met: that must cost nothing."""
    blots.learn("x", "topsecret")
    before = blots._values
    blots.learn("x", "topsecret")
    assert blots._values is before


def test_the_longer_of_two_secrets_is_found_first() -> None:
    """One that begins with another one leaves no rest."""
    blots.learn("a", "topsecret")
    blots.learn("b", "topsecret-and-more")
    assert redact("topsecret-and-more") == "[secret b]"


def test_arguments_that_hold_a_secret_in_plain_text_are_not_shown(monkeypatch: Any) -> None:
    """A user may still pass the value: then the log has it, and pictures blot it out."""
    nbflow.Secret.of("api", CANARY)
    for value in (CANARY, [CANARY], {"k": CANARY}, "x" * 100 + CANARY):
        shown = preview.value_of(pack(value, "argument"))
        assert "kaNaRy" not in shown, shown


def test_a_source_with_a_key_in_it_is_stored_without(tmp_path: Path) -> None:
    """The workflow's source is in the log; a key that somebody wrote into it is not."""
    nbflow.configure(store=str(tmp_path))

    @nbflow.workflow
    def careless() -> int:
        return len("AKIAIOSFODNN7EXAMPLE")

    run = careless.start()
    assert run.result() == 20
    started: Any = next(iter(run.events()))
    assert "careless" in started.source
    assert "AKIAIOSFODNN7EXAMPLE" not in repr(started)
