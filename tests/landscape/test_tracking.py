"""An interrupted tracking resumes as if it had not been interrupted."""

import json
import math
from dataclasses import replace
from functools import cache

import pytest
import torch

from perdure.core.errors import PartError
from perdure.landscape.published import PublishedSettings, track_published_in_chunks, track_published_valley
from perdure.landscape.storage import TimedState
from perdure.landscape.surface import CountedSurface
from perdure.landscape.tracking import ValleySettings, load_tracking, save_tracking
from perdure.landscape.valley import track_valley, track_valley_in_chunks
from perdure.ops.params import distance
from tests.landscape.bowls import PASS, RING, Formula, point

QUICK = ValleySettings(longest=0.1, least=0.005, corrections=4)
ENDS = point(-1.0, 0.0), point(1.0, 0.0)


def quiet(_level, _left):
    pass


@cache
def track_whole():
    return track_valley(PASS, *ENDS, QUICK)


def is_the_same(item, other):
    assert (item.level, item.increase, item.ended, item.stride) == (
        other.level,
        other.increase,
        other.ended,
        other.stride,
    )
    assert (item.losses, item.evaluations, item.gradients) == (other.losses, other.evaluations, other.gradients)
    assert all(distance(a, b) == 0 for a, b in zip(item.points, other.points, strict=True))


def test_a_half_way_tracking_comes_back(tmp_path):
    half = track_valley(PASS, *ENDS, replace(QUICK, evaluations=40))
    save_tracking(tmp_path, TimedState(half, 1.5))
    result = load_tracking(tmp_path)
    is_the_same(result.state, half)
    assert result.seconds == 1.5
    assert load_tracking(tmp_path / "nowhere") is None


def test_points_that_are_stored_are_not_written_again(tmp_path):
    first = track_valley(PASS, *ENDS, replace(QUICK, evaluations=20))
    save_tracking(tmp_path, TimedState(first))
    (part,) = tmp_path.glob("*.safetensors")
    before = part.stat().st_mtime_ns
    second = track_valley(PASS, *ENDS, replace(QUICK, evaluations=60), resume=first)
    (tmp_path / f"points-{len(first.points):05d}.safetensors").write_bytes(b"left by a killed process")
    save_tracking(tmp_path, TimedState(second))
    assert part.stat().st_mtime_ns == before
    is_the_same(load_tracking(tmp_path).state, second)


def test_an_interrupted_tracking_equals_one_that_was_not(tmp_path):
    whole, heard = track_whole(), []

    def interrupts(level, left):
        heard.append((level, left))
        if len(heard) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track_valley_in_chunks(PASS, ENDS, QUICK, tmp_path, interrupts)
    half = load_tracking(tmp_path)
    assert 1 < len(half.state.points) < len(whole.points)
    result = track_valley_in_chunks(PASS, ENDS, QUICK, tmp_path, interrupts)
    is_the_same(result.state, whole)
    assert result.seconds > half.seconds
    assert heard[-1] == (whole.level, 0.0)
    assert [left for _, left in heard] == sorted((left for _, left in heard), reverse=True)
    again = CountedSurface(PASS)
    is_the_same(track_valley_in_chunks(again, ENDS, QUICK, tmp_path, interrupts).state, whole)
    assert again.passes == 0


def test_budgets_count_over_all_calls_and_can_be_raised(tmp_path):
    out = track_valley_in_chunks(PASS, ENDS, ValleySettings(seconds=0.0), tmp_path, quiet)
    assert (out.state.ended, len(out.state.points)) == ("seconds", 1)
    few = replace(QUICK, evaluations=30)
    out = track_valley_in_chunks(PASS, ENDS, few, tmp_path, quiet)
    assert out.state.ended == "evaluations"
    assert track_valley_in_chunks(PASS, ENDS, few, tmp_path, quiet).state.evaluations == out.state.evaluations
    whole = track_valley_in_chunks(PASS, ENDS, replace(few, evaluations=10_000), tmp_path, quiet)
    assert whole.state.ended == "target"
    is_the_same(whole.state, track_whole())


def test_an_infeasible_bound_stalls_and_stays_stalled(tmp_path):
    settings = ValleySettings(allowed=0.5)
    result = track_valley_in_chunks(PASS, ENDS, settings, tmp_path, quiet)
    assert result.state.ended == "stalled"
    assert 0 < result.state.increase <= 0.5
    is_the_same(track_valley_in_chunks(PASS, ENDS, settings, tmp_path, quiet).state, result.state)


def test_a_published_tracking_that_is_cut_equals_one_that_was_not(tmp_path):
    """With its detours, whose Adam remembers and whose samples are drawn; the seconds are those of all calls."""
    angle = math.radians(120)
    ends = point(1.0, 0.0), point(math.cos(angle), math.sin(angle))
    ring = Formula(RING.function, (0.0, 0.1, -0.1))
    settings = PublishedSettings(0.05, inner=20, outer=3, batch_size=2, evaluations=300)
    whole = track_published_valley(ring, *ends, settings, torch.Generator().manual_seed(1))
    cuts = []

    def interrupts(_level, left):
        if len(cuts) < 4:
            cuts.append(left)
            raise KeyboardInterrupt

    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            track_published_in_chunks(ring, ends, settings, torch.Generator().manual_seed(1), tmp_path, interrupts)
    assert 0 < cuts[-1] < cuts[0]
    half = load_tracking(tmp_path)
    assert 0 < half.state.gradients < whole.gradients
    assert half.state.moves
    result = track_published_in_chunks(ring, ends, settings, torch.Generator().manual_seed(2), tmp_path, quiet)
    is_the_same(result.state, whole)
    assert (result.state.base, result.state.share, result.state.moves) == (whole.base, whole.share, whole.moves)
    assert torch.equal(result.state.moments, whole.moments)
    assert torch.equal(result.state.random, whole.random)
    assert result.seconds > half.seconds
    assert len(list(tmp_path.glob("state-*"))) == 1


def test_damaged_files_are_named(tmp_path):
    save_tracking(tmp_path, TimedState(track_valley(PASS, *ENDS, replace(QUICK, evaluations=40))))
    part = tmp_path / json.loads((tmp_path / "tracked.json").read_text())["parts"][0]
    part.write_bytes(part.read_bytes()[:-8])
    with pytest.raises(PartError, match=part.name):
        load_tracking(tmp_path)
    (tmp_path / "tracked.json").write_text("{")
    with pytest.raises(PartError, match=r"tracked\.json"):
        load_tracking(tmp_path)
