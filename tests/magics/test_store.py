"""``%nbflow store``: looks after the store from a cell."""

from __future__ import annotations

import re

import pytest

import nbflow
from nbflow.running.session import sessions


@pytest.fixture
def kept(shell, tmp_path):
    """Give a shell whose runs are kept in a store that has one, with a pickled result."""
    nbflow.configure(store=str(tmp_path / "store"))
    shell.cell("%%activity make(n: int)", "complex(n)")
    shell.cell("%%workflow flow(n: int = 1)", "make(n)")
    assert value(shell, "run flow").result() == 1
    sessions.clear()
    return shell


def value(shell, line: str):
    """Give what a line magic gives."""
    return shell.ip.run_line_magic("nbflow", line)


def refused(shell, line: str) -> str:
    """Give why a line is refused."""
    from IPython.core.error import UsageError

    with pytest.raises(UsageError) as caught:
        value(shell, line)
    return str(caught.value)


def test_a_store_is_checked_and_compacted(kept):
    """What is found is shown, with figures."""
    assert value(kept, "store check").ok
    assert "runs 1" in str(value(kept, "store check"))
    assert "bytes after" in str(value(kept, "store compact --blobs"))


def test_runs_are_exported_and_imported(kept, tmp_path):
    """Through one file, to another store; a path may have blanks in it."""
    run = nbflow.runs()[0].run
    made = value(kept, f"store export '{tmp_path}/my runs.zip' --run {run} --pickles")
    assert made.figures["runs"] == 1
    value(kept, f"store import '{tmp_path}/my runs.zip' --store '{tmp_path}/other store'")
    nbflow.configure(store=str(tmp_path / "other store"))
    assert nbflow.attach(run).result() == 1


def test_trusting_asks_first_and_says_what_it_means(kept, tmp_path, monkeypatch):
    """Without --yes nothing is signed."""
    monkeypatch.setenv("NBFLOW_DATA_DIR", str(tmp_path / "another user"))
    nbflow.running.config.settings.close()  # a store that is open keeps to the key it had
    run = nbflow.attach(nbflow.runs()[0].run)
    said = refused(kept, "store trust")
    assert "runs whatever code it holds, with your rights" in said
    assert said.endswith("%nbflow store trust --yes")
    with pytest.raises(nbflow.PickleRefused):
        run.result()
    assert value(kept, "store trust --yes").figures["values trusted"] > 0
    assert nbflow.attach(run.id).result() == 1


def test_a_damaged_store_is_recovered(kept, tmp_path):
    """To a new directory; what was lost is shown."""
    file = tmp_path / "store" / "log.sqlite"
    nbflow.running.config.settings.close()
    data = bytearray(file.read_bytes())
    data[:100] = bytes(100)
    file.write_bytes(data)
    assert not value(kept, "store check").ok
    assert value(kept, f"store recover {tmp_path / 'new'}").figures == {"runs": 1}
    nbflow.configure(store=str(tmp_path / "new"))
    assert nbflow.attach(nbflow.runs()[0].run).result() == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("store", "check|compact|trust"),
        ("store nope", "check|compact|trust"),
        ("store check a b", "check|compact|trust"),
        ("store export", "%nbflow store export runs.zip"),
        ("store import", "%nbflow store import runs.zip"),
        ("store import nowhere.zip", "cannot be imported"),
        ("store check nowhere", "there is no store"),
        ("store check 'a", "No closing quotation"),
    ],
)
def test_what_makes_no_sense_is_told(kept, line, says):
    """On one line, with what would."""
    assert says in refused(kept, line)


def test_a_store_in_memory_is_none_to_look_after(shell):
    """Unless a directory is named."""
    nbflow.configure(store=":memory:")
    assert "name the directory of a store" in refused(shell, "store check")


def test_a_flag_says_which_of_the_verbs_it_is_for(kept):
    """In the words of the command's own help, and behind the name of the verb."""
    told = kept.cell("%nbflow help store")
    assert re.search(r"--blobs +compact: delete files that nothing refers to, too", told)
    assert re.search(r"--run ID +export: this run only", told)
    assert re.search(r"--yes +trust: I know where it comes from", told)
