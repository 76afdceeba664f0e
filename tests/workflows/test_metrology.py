"""What activities measure of themselves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbflow
from nbflow.core import metrology
from nbflow.core.events import CallSucceeded
from nbflow.core.eventtext import decode, encode
from nbflow.core.metrology import Measured
from nbflow.viz.measures import measured_text, size

PLACES = ["threads", "processes", "asyncio", "inline"]


@nbflow.activity(retry=1)
def fetch(region):
    with nbflow.context().step("download") as step:
        step.read.add(1000, records=2)
        step.metadata["region"] = region
        if region == "broken" and nbflow.context().attempt == 1:
            raise OSError("away")
    with nbflow.context().step("store") as step:
        step.write.bytes = 10
        step.write.records += 1
    return region


@nbflow.activity
async def fetch_async(region):
    with nbflow.context().step("download") as step:
        step.read.bytes += 7
    return region


@nbflow.workflow
def flow(regions):
    return [part.result() for part in [fetch(region) for region in regions]]


@pytest.mark.parametrize("place", PLACES)
def test_what_was_measured_is_in_the_profile(place):
    """Block by block for each attempt, those that failed included, wherever it ran."""
    run = flow.on(place).start(["eu", "broken"])
    run.result()
    bars = {(b.call, b.attempt): b.measured for b in run.profile.bars}
    names = {key: [m.name for m in blocks] for key, blocks in bars.items()}
    assert names == {
        ("fetch-1", 1): ["download", "store"],
        ("fetch-2", 1): ["download"],
        ("fetch-2", 2): ["download", "store"],
    }
    assert [m.failed for m in bars["fetch-2", 1]] == [True]
    download, store = bars["fetch-1", 1]
    assert (download.read_bytes, download.read_records) == (1000, 2)
    assert (store.wrote_bytes, store.wrote_records) == (10, 1)
    assert download.metadata == {"region": "eu"}
    assert 0 < download.seconds < 60


def test_a_run_is_summed_up():
    """By activity and name: how often, how long, how much, how fast."""
    run = flow.start(["eu", "us"])
    run.result()
    found = {m.name: m for m in run.profile.measures()}
    assert set(found) == {"download", "store"}
    download = found["download"]
    assert (download.activity, download.times, download.failed) == ("fetch", 2, 0)
    assert (download.read_bytes, download.read_records) == (2000, 4)
    assert download.read_rate == download.read_bytes / download.seconds
    assert download.write_rate is None
    assert flow.start([]).profile.measures() == []


def test_coroutines_measure_side_by_side():
    """Each has blocks of its own."""

    @nbflow.workflow
    def many():
        return [f.result() for f in [fetch_async(n) for n in range(20)]]

    run = many.on("asyncio").start()
    run.result()
    assert [[m.read_bytes for m in b.measured] for b in run.profile.bars] == [[7]] * 20


def test_everything_that_shows_a_profile_has_it():
    """Text, plain data, CSV and tables."""
    run = flow.start(["eu"])
    run.result()
    text = run.profile.text()
    assert "fetch: download" in text
    assert "read 1.0 kB, 2 records" in text
    data = json.loads(json.dumps(run.profile.to_dict()))
    assert [m["name"] for m in data["bars"][0]["measured"]] == ["download", "store"]
    assert {m["name"]: m["wrote_bytes"] for m in data["measures"]} == {"download": 0, "store": 10}
    head, row = run.profile.to_csv().splitlines()
    line = dict(zip(head.split(","), row.split(","), strict=True))
    assert (line["read_bytes"], line["wrote_records"]) == ("1000", "1")
    frame = pytest.importorskip("pandas") and run.profile.to_pandas()
    assert frame.read_records.tolist() == [2]
    assert "measured" not in flow.start([]).profile.text()


def test_blocks_within_each_other_and_many_of_them():
    """Inner ones are kept before outer ones; beyond 200 they are added up by name."""

    @nbflow.activity
    def busy():
        with nbflow.context().step("all") as outer:
            for n in range(300):
                with nbflow.context().step("part") as step:
                    step.read.add(n)
            for n in range(3):
                with nbflow.context().step(f"late {n}") as step:
                    step.read.add(1)
            outer.write.bytes = 1

    @nbflow.workflow
    def run_busy():
        return busy().result()

    run = run_busy.start()
    run.result()
    found = {m.name: m for m in run.profile.measures()}
    assert found["part"].times == 300
    assert found["part"].read_bytes == sum(range(300))
    assert found["(others)"].times == 4
    assert found["(others)"].wrote_bytes == 1
    assert len(run.profile.bars[0].measured) <= 202


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda step: setattr(step.read, "bytes", -1), "load: read.bytes is a whole number from 0"),
        (lambda step: setattr(step.write, "records", "x"), "load: write.records is a whole number"),
        (lambda step: step.metadata.update(x=object()), "metadata of step load are plain data"),
        (lambda step: step.metadata.update(x="x" * 20_000), "at most 10,000 characters"),
    ],
)
def test_what_makes_no_sense_is_refused(what, message):
    """By an error that names the block; one of the activity's own comes before it."""

    @nbflow.activity
    def load(*, fails):
        with nbflow.context().step("load") as step:
            what(step)
            if fails:
                raise OSError("the real one")

    @nbflow.workflow
    def once(fails):
        return load(fails=fails).result()

    with pytest.raises(TypeError, match=message):
        once.on("inline").start(fails=False).result()
    with pytest.raises(OSError, match="the real one"):
        once.on("inline").start(fails=True).result()


def test_a_name_is_text():
    """And neither empty nor a page long."""

    @nbflow.activity
    def load(name):
        with nbflow.context().step(name):
            pass

    @nbflow.workflow
    def once(name):
        return load(name).result()

    for name in ("", "x" * 201, 5):
        with pytest.raises(TypeError, match="a step is named by a text"):
            once.start(name).result()
    with pytest.raises(RuntimeError, match="of an activity"):
        nbflow.context().step("outside")


def test_secrets_do_not_get_into_the_log():
    """What looks like one, in names and metadata, is blotted out as in all that is said."""
    key = "AKIAIOSFODNN7EXAMPLE"

    @nbflow.activity
    def load(key):
        whole = f"AKIA{key}"
        with nbflow.context().step(f"with {whole}") as step:
            step.metadata["key"] = whole

    @nbflow.workflow
    def once():
        return load(key.removeprefix("AKIA")).result()

    run = once.start()
    run.result()
    assert key not in encode(list(run.events()))
    [found] = run.profile.bars[0].measured
    assert (found.name, found.metadata) == ("with [secret]", {"key": "[secret]"})


BLOCKS = st.lists(
    st.builds(
        Measured,
        st.text(min_size=1, max_size=10),
        st.floats(0, 2e9),
        st.floats(0, 1e6),
        st.integers(0, 2**63),
        st.integers(0, 2**63),
        st.integers(0, 2**63),
        st.integers(0, 2**63),
        st.booleans(),
        st.integers(1, 1000),
        st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=5), st.integers())),
    ),
    max_size=5,
)


@settings(deadline=None, max_examples=50)
@given(BLOCKS)
def test_what_was_measured_comes_back_from_the_log(blocks):
    """Exactly, through the text of an event; and every block has a line of text."""
    text = metrology.write(blocks) if blocks else ""
    event = CallSucceeded(3, 2.0, "f-1", 1, None, "w", 1.0, measured=text)
    [found] = decode(encode([event]))
    assert isinstance(found, CallSucceeded)
    assert list(metrology.read(found.report.measured)) == blocks
    assert all("\n" not in measured_text(block) or block.metadata for block in blocks)


@settings(deadline=None, max_examples=50)
@given(BLOCKS)
def test_sums_lose_nothing(blocks):
    """The bytes, records, times and failures of a run are those of its blocks together."""
    found = metrology.sum_up([("a", b) for b in blocks] + [("b", b) for b in blocks])
    for name in ("read_bytes", "wrote_records", "times"):
        assert sum(getattr(s, name) for s in found) == 2 * sum(getattr(b, name) for b in blocks)
    assert sum(s.failed for s in found) == 2 * sum(b.failed for b in blocks)
    assert len({(s.activity, s.name) for s in found}) == len(found)


@given(st.text(max_size=50))
def test_a_log_of_something_else_harms_no_picture(text):
    """What cannot be read as blocks is none."""
    assert isinstance(metrology.read(text), tuple)


def test_old_logs_have_no_such_field():
    """An event as it was written before reads as one that measured nothing."""
    [event] = decode('[["CallSucceeded",[3,2.0,"f-1",1,null,"w",1.0,5,5,0,0,9]]]')
    assert isinstance(event, CallSucceeded)
    assert event.report.measured == ""
    assert event.report.memory == 9


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (734_003_200, "734 MB"), (999_999, "1.0 MB")],
)
def test_bytes_are_written_for_people(number, text):
    """By powers of a thousand."""
    assert size(number) == text
