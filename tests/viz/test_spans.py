"""A run as OpenTelemetry spans: what the log says, in that standard's terms."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

import nbflow
from nbflow.viz.spans import SpansError, send_spans

tries: list[int] = []


@nbflow.activity
def double(x: int) -> int:
    return 2 * x


@nbflow.activity(retry=nbflow.Retry(attempts=3, wait=0.0))
def shaky(x: int) -> int:
    tries.append(x)
    if len(tries) < 2:
        raise ValueError("not yet")
    return x


@nbflow.workflow
def flow() -> int:
    return shaky(double(4)).result()


def sent(profile: object) -> list[ReadableSpan]:
    exporter = InMemorySpanExporter()
    count = send_spans(profile, exporter)  # type: ignore[arg-type]
    found = list(exporter.get_finished_spans())
    assert count == len(found)
    return found


def test_each_attempt_is_a_span_of_the_run() -> None:
    """One trace: the run, and in it every attempt with its times, its status and its source."""
    tries.clear()
    run = flow.start()
    assert run.result() == 8
    root, doubled, failed, again = sent(run.profile)
    assert [span.name for span in (root, doubled, failed, again)] == [
        "flow",
        "double",
        "shaky",
        "shaky",
    ]
    assert len({span.context.trace_id for span in (root, doubled, failed, again)}) == 1
    assert len({span.context.span_id for span in (root, doubled, failed, again)}) == 4
    for span in (doubled, failed, again):
        assert span.parent == root.context
        times = [root.start_time, span.start_time, span.end_time, root.end_time]
        assert times == sorted(time for time in times if time is not None)
    assert failed.status.status_code is StatusCode.ERROR
    assert again.status.status_code is StatusCode.OK
    assert (again.attributes or {})["nbflow.attempt"] == 2
    assert [link.context for link in again.links] == [doubled.context]
    assert root.status.status_code is StatusCode.OK


def test_what_is_sent_again_is_the_same() -> None:
    """Ids follow from the run: whoever collects spans can tell what it has already."""
    run = flow.start()
    run.wait()
    first, second = sent(run.profile), sent(run.profile)
    assert [span.context for span in first] == [span.context for span in second]
    other = flow.start()
    other.wait()
    assert sent(other.profile)[0].context.trace_id != first[0].context.trace_id


def test_a_run_whose_call_failed_is_an_error() -> None:
    """The span of the run is an error if a call failed for good."""

    @nbflow.activity
    def bad() -> None:
        raise ValueError("no")

    @nbflow.workflow
    def failing() -> None:
        bad().result()

    run = failing.start()
    run.wait()
    assert sent(run.profile)[0].status.status_code is StatusCode.ERROR


class Refusing(SpanExporter):
    """Takes nothing."""

    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.FAILURE


def test_what_was_not_taken_is_told() -> None:
    """No silence where an exporter refuses."""
    run = flow.start()
    run.wait()
    with pytest.raises(SpansError, match="Refusing failed"):
        send_spans(run.profile, Refusing())


def test_without_an_exporter_the_error_says_what_to_do() -> None:
    """The OTLP exporter is a package of its own."""
    run = flow.start()
    run.wait()
    with pytest.raises(SpansError, match="opentelemetry-exporter-otlp-proto-http"):
        send_spans(run.profile)
