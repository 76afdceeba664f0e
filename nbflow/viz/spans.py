"""A profile as OpenTelemetry spans: one for the run, one within it for each attempt.

They are made of the log when the run is over, with the times that workers have measured, so a run
costs nothing more for them. Their ids follow from the run, so what is sent twice is the same. The
conventions are those of OpenTelemetry's trace specification: times in nanoseconds, a failure is
the status ERROR, a dependency is a link.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from nbflow.core.errors import NbflowError
from nbflow.viz.wording import clean

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import SpanContext

    from nbflow.core.profile import Bar, Profile

_NANO: Final = 1_000_000_000
_BATCH: Final = 512
_LATEST: Final = 128
"""Links of a span at most, as the SDK has it by default."""


class SpansError(NbflowError):
    """Spans cannot be made or sent."""


def send_spans(profile: Profile, exporter: SpanExporter | None = None) -> int:
    """Send a run as OpenTelemetry spans.

    Args:
        profile: The run's; attempts that still run are left out.
        exporter: Where they go; by default over OTLP to what ``OTEL_EXPORTER_OTLP_ENDPOINT``
            and its kin say, by the package `opentelemetry-exporter-otlp`.

    Returns:
        How many were sent.

    Raises:
        SpansError: A package is not installed, or they were not taken.

    Example:
        >>> send_spans(run.profile, ConsoleSpanExporter())
        13
    """
    try:
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415 - an extra
    except ImportError:
        message = "spans need the SDK: pip install 'jupyter-nbflow[otel]'"
        raise SpansError(message) from None
    target = exporter or _otlp()
    found = list(spans(profile))
    for first in range(0, len(found), _BATCH):
        if target.export(found[first : first + _BATCH]) is not SpanExportResult.SUCCESS:
            message = (
                f"{first} of {len(found)} spans were taken, then {type(target).__name__} failed"
            )
            raise SpansError(message)
    target.force_flush()
    return len(found)


def _otlp() -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
    except ImportError:
        message = (
            "where should the spans go? Give an exporter, or pip install "
            "opentelemetry-exporter-otlp-proto-http and set OTEL_EXPORTER_OTLP_ENDPOINT"
        )
        raise SpansError(message) from None
    return OTLPSpanExporter()  # type: ignore[no-any-return]


def spans(profile: Profile) -> Iterator[ReadableSpan]:
    """Give the spans of a run: its own, then those of its attempts in the order of the log."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
    from opentelemetry.trace import Link, SpanKind, Status, StatusCode  # noqa: PLC0415

    resource = Resource.create({"service.name": "nbflow"})
    key = f"{profile.name} {profile.begun!r}"
    root = _context(key, "")
    bars = [bar for bar in profile.bars if bar.ended is not None]
    last = {bar.call: bar for bar in bars}
    failed = any(bar.status == "failed" for bar in last.values())
    latest = profile.ended or max([profile.latest, *(bar.ended or 0.0 for bar in bars)])
    yield ReadableSpan(
        clean(profile.name) or "workflow",
        root,
        resource=resource,
        kind=SpanKind.INTERNAL,
        attributes={"nbflow.calls": len(last), "nbflow.open": profile.ended is None},
        status=Status(StatusCode.ERROR if failed else StatusCode.OK),
        start_time=_nanoseconds(profile.begun),
        end_time=_nanoseconds(latest),
    )
    for bar in bars:
        sources = [last[dep] for dep in bar.deps[:_LATEST] if dep in last]
        bad = bar.status == "failed"
        yield ReadableSpan(
            clean(bar.activity),
            _context(key, f"{bar.call} {bar.attempt}"),
            parent=root,
            resource=resource,
            kind=SpanKind.INTERNAL,
            attributes=_attributes(bar),
            links=[Link(_context(key, f"{one.call} {one.attempt}")) for one in sources],
            status=Status(StatusCode.ERROR if bad else StatusCode.OK),
            start_time=_nanoseconds(bar.started),
            end_time=_nanoseconds((bar.ended or 0.0) + bar.packing),
        )


def _context(run: str, what: str) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415 - an extra

    trace = hashlib.blake2b(run.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    own = f"{run}\0{what}".encode("utf-8", "surrogatepass")
    span = hashlib.blake2b(own, digest_size=8).digest()
    return SpanContext(
        int.from_bytes(trace) or 1,
        int.from_bytes(span) or 1,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _attributes(bar: Bar) -> dict[str, Any]:
    found: dict[str, Any] = {
        "nbflow.call": bar.call,
        "nbflow.attempt": bar.attempt,
        "nbflow.status": bar.status,
        "nbflow.worker": clean(bar.worker),
        "nbflow.queued_seconds": bar.queued,
        "nbflow.cpu_seconds": bar.cpu,
        "nbflow.packing_seconds": bar.packing,
        "nbflow.result_bytes": bar.size,
    }
    if bar.memory:
        found["nbflow.worker_peak_bytes"] = bar.memory
    return found


def _nanoseconds(at: float) -> int:
    return round(at * _NANO)
