import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from perdure.audit import ensemble_arrays
from perdure.audit.across_runs import compare_runs
from perdure.audit.ensemble_arrays import choose_clusters, collect_ensemble_arrays
from perdure.audit.reproduce import ReproduceSettings, reproduce, run_reproduce
from perdure.core.errors import CheckpointError, EmptyDataError, LengthError, RunFolderError, SettingError
from perdure.core.estimate import read_estimate, read_verdict
from perdure.data.planted_events import PlantedEvents
from perdure.data.shapes import Shapes
from perdure.models.attention import Attention
from perdure.models.hierarchical import Hierarchical
from perdure.models.small_cnn import SmallCNN
from perdure.records.record import read_record
from perdure.records.run import open_run
from perdure.stability.agreement import RunExplanations
from perdure.stability.checks import check_comparable
from perdure.stability.members import Ensemble
from perdure.stability.vectors import Vectors
from perdure.training.checkpoint import load_checkpoint, save_checkpoint
from perdure.training.many import _FAILED

SMALL = PlantedEvents(train=40, validation=10, test=20)
METHODS = ("attention", "gradient")


@pytest.fixture(autouse=True)
def few_counts(monkeypatch):
    """Save time where the number of clusters does not matter."""
    monkeypatch.setattr(ensemble_arrays, "COUNTS", range(2, 4))


def folders(tmp_path, splits, config=None, seeds=(0, 1, 2)):
    """Store models with drawn weights, which is what a very short training gives."""
    config = config or Attention(6, (6,))
    places = {}
    for seed in seeds:
        model = config.build(splits.features, len(splits.classes), torch.Generator().manual_seed(seed))
        places[f"seed {seed}"] = tmp_path / f"models/seed-{seed}"
        save_checkpoint(places[f"seed {seed}"], model, config, splits, {"seed": seed})
    return places


def compare(tmp_path, splits, places, methods=METHODS, **fields):
    run = open_run(tmp_path / "run", {"model": "attention", "data": "events"})
    return run_reproduce(Ensemble(places), splits, ReproduceSettings(methods, **fields), run).to_dict()


@pytest.fixture(scope="module")
def splits():
    return SMALL.load(0)


def test_the_same_run_five_times_scores_the_ceiling_everywhere(tmp_path, splits):
    place = folders(tmp_path, splits, seeds=(0,))["seed 0"]
    record = compare(tmp_path, splits, {f"copy {i}": place for i in range(5)})
    for entry in record["agreements"]:
        number = read_estimate(entry["number"])
        assert number.low == pytest.approx(number.high) == pytest.approx(number.value)
        if number.name not in ("ARI", "AMI"):  # whose ceiling measures how stable the clusters are
            assert number.value == pytest.approx(number.ceiling, abs=1e-9), number.name
    assert record["alike"]["value"] == 1.0
    assert {entry["remedy"] for entry in record["remedies"]} >= {"one run", "mean of 2 runs"}
    fractions = {entry["part"]: entry["share"] for entry in record["variance"]}
    assert fractions["training run"] == pytest.approx(0.0, abs=1e-9)
    assert sum(fractions.values()) == pytest.approx(1.0)


def test_the_stored_record_is_the_result_and_nothing_is_computed_twice(tmp_path, splits):
    places = folders(tmp_path, splits)
    record = compare(tmp_path, splits, places)
    stored, _ = read_record(tmp_path / "run", "reproduce")
    assert stored == json.loads(json.dumps(record))
    part = tmp_path / "run/maps/seed-1/gradient/part-00000.parquet"
    before = part.stat().st_mtime_ns
    assert compare(tmp_path, splits, places) == record
    assert part.stat().st_mtime_ns == before
    names = [entry["number"]["name"] for entry in record["agreements"] if entry["method"] == "gradient"]
    wanted = ["Spearman", "Kendall", "top-3 Jaccard", "sign agreement", "cosine", "ARI", "AMI", "MeGe"]
    assert [name for name in names if name != "ReCo"] == wanted
    assert read_verdict(record["verdict"]).numbers[0] == read_estimate(record["agreements"][0]["number"])
    with np.load(tmp_path / "run/reproduce.npz") as arrays:
        assert arrays["pairs/gradient/Spearman"].shape == (3, 3)
        assert np.isnan(np.diag(arrays["pairs/attention/Jensen-Shannon"])).all()
        assert arrays["points/gradient"].shape == (20, 2)
        assert arrays["cluster/gradient"].shape == (3, 20)
        assert arrays["top/gradient"].shape == (3, 20, 6)
        types = arrays["top_types/gradient"]
        assert all(0 <= kind < len(record["types"]) for kind in types)
        absent = torch.stack([(splits.test.event == int(kind)).any(1) for kind in types], 1).logical_not().numpy()
        assert (np.isnan(arrays["top/gradient"][1]) == absent).all()


def test_attention_to_types_is_what_the_hierarchy_gives(tmp_path, splits):
    places = folders(tmp_path, splits, Hierarchical(6, (6,)), seeds=(0, 1))
    compare(tmp_path, splits, places, ("attention",))
    model = Hierarchical(6, (6,)).build(splits.features, 2, torch.Generator().manual_seed(1)).eval()
    with torch.no_grad():
        expected = model.type_attention(splits.test.inputs, lengths=splits.test.mask.sum(1))
    with np.load(tmp_path / "run/reproduce.npz") as arrays:
        types = torch.from_numpy(arrays["top_types/attention"])
        values = torch.from_numpy(arrays["top/attention"][1]).nan_to_num()
    assert torch.allclose(values, expected[:, types], atol=1e-6)


def test_events_of_one_time_are_compared_by_their_types(tmp_path):
    """Not by places: two events have the same step, and each of their types has its own value."""
    splits = replace(SMALL, together=2).load(0)
    assert splits.test.event is None
    record = compare(tmp_path, splits, folders(tmp_path, splits, seeds=(0, 1, 2, 3)), ("attention",))
    assert tuple(record["types"]) == splits.types
    assert {entry["remedy"] for entry in record["remedies"]} >= {"averaged weights"}
    with np.load(tmp_path / "run/reproduce.npz") as arrays:
        types, top = arrays["top_types/attention"], arrays["top/attention"][2]
    model = load_checkpoint(tmp_path / "models/seed-2")[0]
    with torch.no_grad():
        steps = model.attention(splits.test.inputs, lengths=splits.test.mask.sum(1))
    expected = torch.einsum("st,stk->sk", steps, splits.test.inputs)[:, types]
    assert np.nan_to_num(top) == pytest.approx(expected.numpy(), abs=1e-6)
    assert (np.isnan(top) == (expected == 0).numpy()).all()


def test_types_of_one_time_that_are_absent_from_training_are_named(tmp_path):
    splits = replace(SMALL, together=2).load(0)
    inputs = splits.train.inputs.clone()
    inputs[..., 15] = 0
    seen = replace(splits, train=replace(splits.train, inputs=inputs))
    with pytest.warns(UserWarning, match="1 event types of the explained samples never occur in training: filler 8"):
        compare(tmp_path, seen, folders(tmp_path, splits))


def test_a_method_that_draws_noise_has_its_own_ceiling(tmp_path, splits):
    record = compare(tmp_path, splits, folders(tmp_path, splits), ("smooth_grad:samples=2", "gradient"))
    ceilings = {e["method"]: e["number"]["ceiling"] for e in record["agreements"] if e["number"]["name"] == "Spearman"}
    assert ceilings["gradient"] == 1.0
    assert ceilings["smooth_grad:samples=2"] < 1.0
    assert sorted(path.name for path in (tmp_path / "run/again/seed-0").iterdir()) == ["smooth_grad-samples=2"]


def test_images_are_compared_on_a_grid_by_runs_of_different_architectures(tmp_path):
    splits = Shapes(train=20, validation=4, test=12).load(0)
    places = folders(tmp_path / "a", splits, SmallCNN(width=4), seeds=(0, 1))
    places |= {"wide": folders(tmp_path / "b", splits, SmallCNN(width=5), seeds=(2,))["seed 2"]}
    record = compare(tmp_path, splits, places, ("gradient",))
    assert len(record["types"]) == 64
    assert len(record["runs"]) == 3


def test_two_runs_give_no_firm_answer(tmp_path, splits):
    record = compare(tmp_path, splits, folders(tmp_path, splits, seeds=(0, 1)))
    number = read_estimate(record["agreements"][0]["number"])
    assert number.interval is None
    assert record["verdict"]["answer"] in ("unclear", "not learned")
    assert record["remedies"] == []


def test_one_run_or_failed_ones_cannot_be_compared(tmp_path, splits):
    places = folders(tmp_path, splits)
    with pytest.raises(EmptyDataError, match="1 of 1 runs"):
        compare(tmp_path, splits, {"seed 0": places["seed 0"]})
    failed = tmp_path / "models/seed-9"
    failed.mkdir()
    (failed / _FAILED).write_text("the training loss is nan at step 3.\n")
    with pytest.warns(UserWarning, match="run 'seed 9' is left out, as its training failed: the training loss is nan"):
        record = compare(tmp_path, splits, {**places, "seed 9": failed})
    assert [run["name"] for run in record["runs"]] == ["seed 0", "seed 1", "seed 2"]
    assert record["failed"] == [{"name": "seed 9", "reason": "the training loss is nan at step 3."}]
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(EmptyDataError, match="1 of 2 runs can be compared"),
    ):
        compare(tmp_path, splits, {"seed 0": places["seed 0"], "seed 9": failed})


def test_runs_of_other_data_are_named(tmp_path, splits):
    other = replace(SMALL, fillers=9).load(0)
    places = folders(tmp_path, splits, seeds=(0,)) | folders(tmp_path / "other", other, seeds=(1,))
    with pytest.raises(CheckpointError, match="other features: 17 there and 16 here"):
        compare(tmp_path, splits, places)


def test_types_unseen_in_training_are_named(tmp_path, splits):
    event = splits.train.event
    seen = replace(splits, train=replace(splits.train, event=event.masked_fill(event == 15, 14)))
    with pytest.warns(UserWarning, match="1 event types of the explained samples never occur in training: filler 8"):
        compare(tmp_path, seen, folders(tmp_path, splits))


def test_sequences_without_types_to_compare(tmp_path, splits):
    def without(batch, rows):
        event = batch.event.clone()
        event[rows] = -1
        return replace(batch, event=event)

    places = folders(tmp_path, splits)
    with pytest.warns(UserWarning, match="3 of 20 samples have fewer than two types"):
        compare(tmp_path, replace(splits, test=without(splits.test, slice(0, 3))), places)
    with pytest.raises(EmptyDataError, match="no sample has two types"):
        compare(tmp_path, replace(splits, test=without(splits.test, slice(None))), places)


def test_an_empty_sequence_is_named(tmp_path, splits):
    mask = splits.test.mask.clone()
    mask[4] = False
    with pytest.raises(LengthError):
        compare(tmp_path, replace(splits, test=replace(splits.test, mask=mask)), folders(tmp_path, splits))


def test_a_constant_explanation_is_named_and_has_no_clusters(splits):
    present = torch.ones(6, 4, dtype=torch.bool)
    runs = [RunExplanations(Vectors(torch.full((6, 4), value), present), torch.zeros(6).long()) for value in (1.0, 2.0)]
    other = RunExplanations(Vectors(torch.arange(24.0).reshape(6, 4), present), runs[0].predicted)
    with pytest.warns(UserWarning, match="method 'gradient' explains 6 of 6 samples of run 'b' by a constant"):
        check_comparable(
            {"gradient": [other, runs[1]]},
            ("a", "b"),
            replace(splits, test=replace(splits.test, event=None), types=()),
            "abcd",
        )
    with pytest.warns(UserWarning, match="1 different explanations of 6 samples, so that there are no clusters"):
        choice = choose_clusters(runs[0].vectors.values, "gradient")
    assert choice.record["count"] == 1
    arrays = collect_ensemble_arrays(runs, choice, "gradient")
    assert not arrays["points/gradient"].any()
    assert not arrays["cluster/gradient"].any()


def test_more_clusters_than_different_explanations_are_not_tried(monkeypatch):
    monkeypatch.setattr(ensemble_arrays, "COUNTS", range(2, 20))
    values = torch.arange(5.0).repeat(4)[:, None]
    with pytest.warns(UserWarning, match="5 different explanations of 20 samples, so that at most 4 clusters"):
        assert choose_clusters(values, "gradient").record["counts"] == [2, 3, 4]


def test_settings_without_sense():
    with pytest.raises(SettingError, match="each once"):
        ReproduceSettings(("gradient", "gradient"))
    with pytest.raises(SettingError, match="samples"):
        ReproduceSettings(("gradient",), samples=0)


def test_the_verdict_of_an_audit_is_not_tested_without_runs_to_compare(tmp_path, splits):
    skipped = compare_runs("There are no runs.", splits, 10, "gradient", tmp_path, 0)
    assert (skipped.answer, skipped.sentence) == ("not tested", "There are no runs.")
    single = Ensemble(folders(tmp_path, splits, seeds=(0,)))
    assert compare_runs(single, splits, 10, "gradient", tmp_path, 0).answer == "not tested"
    three = Ensemble(folders(tmp_path, splits))
    verdict = compare_runs(three, splits, 10, "gradient", tmp_path, 0)
    assert verdict.answer in ("yes", "partly", "no", "unclear", "not learned")
    assert [number.name for number in verdict.numbers] == ["Spearman", "predicted alike"]


def test_models_in_memory_agree_like_their_checkpoints(tmp_path, splits):
    places = folders(tmp_path, splits)
    settings = ReproduceSettings(METHODS)
    stored = reproduce(places, splits, settings=settings)
    models = {name: load_checkpoint(place)[0] for name, place in places.items()}
    result = reproduce(models, splits, settings=settings, folder=tmp_path / "out")
    assert result.agreements == stored.agreements
    assert [run.name for run in result.runs] == list(places)
    assert result.title == "AttentionNetwork on own data" or result.title.endswith(" on own data")
    assert (tmp_path / "out/report.html").read_text() == result.html
    part = tmp_path / "out/maps/seed-1/gradient/part-00000.parquet"
    before = part.stat().st_mtime_ns
    assert reproduce(models, splits, settings=settings, folder=tmp_path / "out").to_dict() == result.to_dict()
    assert part.stat().st_mtime_ns == before
    with pytest.raises(RunFolderError, match=r"runs\.seed 1"):
        reproduce({**models, "seed 1": models["seed 0"]}, splits, settings=settings, folder=tmp_path / "out")


def test_runs_of_a_list_are_named_and_a_single_one_is_refused(tmp_path, splits):
    models = [load_checkpoint(place)[0] for place in folders(tmp_path, splits).values()]
    result = reproduce(models, splits, settings=ReproduceSettings(("gradient",)))
    assert [run.name for run in result.runs] == ["run 0", "run 1", "run 2"]
    with pytest.raises(SettingError, match="at least two runs"):
        reproduce(models[0], splits)
    with pytest.raises(SettingError, match="the model 'run 0' is int"):
        reproduce([1, 2], splits)
    with pytest.raises(EmptyDataError, match="1 of 1 runs"):
        reproduce(models[:1], splits, settings=ReproduceSettings(("gradient",)))
