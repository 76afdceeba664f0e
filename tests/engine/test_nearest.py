"""Which earlier call a call is compared with: the one that tells most about why it runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbflow.core.reach import Part
from nbflow.core.reasons import Key, in_common
from nbflow.engine.nearest import Latest
from nbflow.store.cached import Earlier

_parts = st.dictionaries(st.sampled_from("abc"), st.sampled_from("123"), max_size=3).map(
    lambda found: {name: Part(digest, digest) for name, digest in found.items()}
)
_keys = st.builds(Key, st.just("f"), _parts, _parts)
_calls = st.sampled_from(["f-1", "f-2", "f-3"])


def of(number: int, key: Key, call: str, at: float) -> Earlier:
    """Give an earlier call."""
    return Earlier(f"run-{number}", call, at, key.inputs_digest, key.to_json())


@given(
    before=st.lists(st.tuples(_keys, _calls, st.integers(0, 3)), max_size=8),
    now=st.lists(st.tuples(_keys, _calls), min_size=1, max_size=4),
    code=_parts,
)
def test_it_is_the_one_that_most_is_the_same_as(
    before: list[tuple[Key, str, int]], now: list[tuple[Key, str]], code: dict[str, Part]
) -> None:
    """Most parts of code and inputs in common; then the call of that id; then the latest."""
    rows = [of(n, key, call, float(at)) for n, (key, call, at) in enumerate(before)]
    asked = [(Key("f", code, key.inputs), call) for key, call in now]
    latest = Latest(rows, asked[0][0])
    assert bool(latest) == bool(rows)
    for key, call in asked:

        def rank(n: int, key: Key = key, call: str = call) -> tuple[int, bool, float, int]:
            other, its, at = before[n]
            alike = in_common(other.code, key.code) + in_common(other.inputs, key.inputs)
            return alike, its == call, float(at), -n

        best = max(range(len(rows)), key=rank, default=None)
        found = latest.nearest(key, call)
        assert (found is None) == (best is None)
        if best is not None:
            assert found == before[best][0]
