"""Every interrupted kind of path resumes to the same bytes and record; a bound that is too low is reported."""

import json
from functools import partial

import pytest
import torch
from torch import nn

from perdure.core.batch import Batch
from perdure.landscape.band import BandSettings
from perdure.landscape.curve import CurveSettings
from perdure.landscape.ends import PathEnds
from perdure.landscape.published import PublishedSettings
from perdure.landscape.route import KINDS, PathSearch, find_route
from perdure.landscape.surface import ModelLoss
from perdure.landscape.tracking import ValleySettings
from perdure.ops.params import params_of
from tests.landscape.bowls import PASS, point

ALLOWED = 0.4


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("perdure.landscape.curve.CurveSettings", lambda: CurveSettings(steps=40, batch_size=8))
    monkeypatch.setattr(
        "perdure.landscape.band.BandSettings", lambda: BandSettings(2, steps=10, batch_size=8, insertions=2)
    )
    monkeypatch.setattr(
        "perdure.landscape.route.ValleySettings", partial(ValleySettings, longest=0.2, least=0.02, batch_size=8)
    )
    rough = partial(PublishedSettings, inner=5, outer=2, share=0.1, batch_size=8, evaluations=60)
    monkeypatch.setattr("perdure.landscape.route.PublishedSettings", rough)


def searching(folder, report, surface=None, allowed=ALLOWED):
    drawn = torch.Generator().manual_seed(0)
    x = torch.randn(30, 4, generator=drawn)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    ends = [{n: torch.randn(w.shape, generator=drawn) for n, w in params_of(model).items()} for _ in "ab"]
    ends = (point(-1.0, 0.0), point(1.0, 0.0)) if surface else ends
    surface = surface or ModelLoss(model, Batch(x, (x[:, 0] > 0).long()))
    return PathSearch(surface, PathEnds(("a", "b"), model, ("", ""), *ends), folder, float("inf"), report, allowed)


def kept(folder, kind):
    record = json.loads((folder / "paths" / kind / "route.json").read_text())
    return record | {"seconds": None}, (folder / "paths" / kind / "path.safetensors").read_bytes()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "linear"])
def test_one_that_is_cut_has_the_bytes_and_the_record_of_one_that_was_not(kind, tmp_path):
    heard, cut = [], []

    def interrupts(line):
        cut.append(line)
        raise KeyboardInterrupt

    find_route(searching(tmp_path / "whole", heard.append), kind)
    assert len(heard) > 1
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            find_route(searching(tmp_path / "cut", interrupts), kind)
    assert not (tmp_path / "cut/paths" / kind / "route.json").exists()
    find_route(searching(tmp_path / "cut", heard.append), kind)
    assert kept(tmp_path / "cut", kind) == kept(tmp_path / "whole", kind)
    assert cut[0] != cut[1]  # the second call resumed the first
    assert cut[0].startswith(f"{kind}: ")


def test_a_bound_that_cannot_be_kept_reports_the_best_reached_and_why(tmp_path):
    """The pass costs 1, and half of it is allowed."""
    search = searching(tmp_path, lambda _line: None, PASS, 0.5)
    route = find_route(search, "valley")
    assert route.ended.startswith("stalled: no step below the bound came closer with ")
    best = float(route.ended.partition("an increase of ")[2].partition(" so far")[0])
    assert 0 < best <= 0.5
    assert route.ended.endswith("; the rest is a straight line")
    assert kept(tmp_path, "valley")[0]["ended"] == route.ended
