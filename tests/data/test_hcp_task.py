"""Every layout must give the same samples, whatever its order of regions and runs; subjects stay apart."""

from pathlib import Path

import numpy as np
import pytest
import torch

from perdure.core.errors import DataError, EmptyDataError, LengthError, SettingError, ShapeError, UnknownNameError
from perdure.data._hcp.cortex import REGIONS
from perdure.data._hcp.runs import TASKS, find_runs
from perdure.data.hcp_task import HCPTask
from tests.data.fmri_files import LENGTHS, RIGHT_FIRST, signal, write_connectome, write_listed, write_numbered

TWO = ("WM", "SOCIAL")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    numbered, listed, connectome = (tmp_path_factory.mktemp(name) for name in ("numbered", "listed", "connectome"))
    write_numbered(numbered)
    return {"numbered": numbered, "listed": write_listed(listed), "connectome": write_connectome(connectome, TWO)}


def parts(splits):
    return splits.train, splits.validation, splits.test


def samples(splits):
    """Inputs and events by name."""
    return {
        name: (x, event)
        for part in parts(splits)
        for name, x, event in zip(part.id, part.inputs, part.event, strict=True)
    }


@pytest.mark.parametrize(("layout", "first"), [("numbered", 0), ("listed", 100307)])
def test_regions_are_joined_by_name_and_runs_by_direction(folders, layout, first):
    result = samples(HCPTask(str(folders[layout]), standardise=False).load(0))
    assert len(result) == 5 * 7 * 2
    for i in range(5):
        for task in TASKS:
            for direction in ("RL", "LR"):
                x, _ = result[f"{first + i}-{task}-{direction}-000"]
                expected = torch.from_numpy(signal(i, task, direction)[: min(LENGTHS.values())].astype(np.float32))
                assert torch.equal(x, expected)


def test_surfaces_are_averaged_to_the_same_samples(folders):
    arrays = samples(HCPTask(str(folders["listed"]), TWO).load(0))
    dataset = HCPTask(str(folders["connectome"]), TWO, labels=str(folders["connectome"] / "own.dlabel.nii"))
    surfaces = samples(dataset.load(0))
    assert dataset.regions() == REGIONS
    assert len(surfaces) == 3 * 2 * 2
    for name, (x, event) in surfaces.items():
        torch.testing.assert_close(x, arrays[name][0], rtol=0, atol=1e-3)  # float32 files around 100, standardised
        assert torch.equal(event, arrays[name][1])


def test_every_sample_has_the_steps_of_the_shortest_run_and_no_padding(folders):
    splits = HCPTask(str(folders["numbered"])).load(0)
    assert all(part.inputs.shape[1:] == (min(LENGTHS.values()), 360) and part.mask is None for part in parts(splits))
    assert HCPTask(str(folders["numbered"]), steps=7).load(0).test.inputs.shape[1] == 7
    with pytest.raises(LengthError, match=r"steps is 41, and '0-MOTOR-RL-000' has 40"):
        HCPTask(str(folders["numbered"]), steps=41).load(0)


@pytest.mark.parametrize("seed", range(4))
def test_a_subject_belongs_to_one_split(folders, seed):
    for dataset in (HCPTask(str(folders["numbered"])), HCPTask(str(folders["listed"]), ("WM",), ("0bk", "2bk"))):
        splits = dataset.load(seed)
        subjects = [{name.split("-")[0] for name in part.id} for part in parts(splits)]
        assert [len(group) for group in subjects] == [3, 1, 1]
        assert len(set.union(*subjects)) == 5
        for part in parts(splits):
            assert set(part.label.tolist()) == set(range(len(splits.classes)))


def test_events_are_the_blocks_as_they_were_shown(folders):
    for layout, name in (("numbered", "0-SOCIAL-LR-000"), ("listed", "100307-SOCIAL-LR-000")):
        dataset = HCPTask(str(folders[layout]))
        splits = dataset.load(0)
        event = samples(splits)[name][1]
        shown = [splits.types[i] if i >= 0 else "" for i in event[:14].tolist()]
        assert shown == [""] * 2 + ["SOCIAL mental"] * 5 + ["SOCIAL rnd"] * 5 + [""] * 2


def test_a_trial_begins_with_its_condition_and_keeps_its_place_in_the_run(folders):
    splits = HCPTask(str(folders["numbered"]), ("WM",), ("0bk", "2bk"), standardise=False).load(0)
    result = samples(splits)
    assert len(result) == 5 * 2 * 8
    assert splits.classes == ("0bk", "2bk")
    x, event = result["3-WM-RL-022"]  # the fifth block, from second 15.9 on
    np.testing.assert_array_equal(x, signal(3, "WM", "RL")[22:27].astype(np.float32))
    assert {splits.types[i] for i in event.tolist()} == {"WM 2bk_body"}


def test_a_run_is_standardised_as_a_whole(folders):
    x, _ = samples(HCPTask(str(folders["numbered"]), steps=9).load(0))["1-WM-LR-000"]
    run = signal(1, "WM", "LR")
    np.testing.assert_allclose(x, ((run - run.mean(0)) / run.std(0))[:9], atol=1e-4)


def test_the_folder_around_a_layout_will_do(folders, tmp_path):
    (tmp_path / "hcp_task").symlink_to(folders["listed"])
    assert len(find_runs(tmp_path, TWO).runs) == 5 * 2 * 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tasks": ("WM",)}, "classes are 'WM'"),
        ({"tasks": ("WM", "REST")}, "REST"),
        ({"tasks": ("WM",), "conditions": ("0bk", "3bk")}, "'3bk' is none of the tasks 'WM'"),
        ({"conditions": ("0bk", "2bk")}, "none of the tasks"),
        ({"steps": 0}, "steps"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(SettingError, match=message):
        HCPTask("anywhere", **settings)


def spoilt(folder, what):
    run = folder / "subjects" / "100308" / "WM" / "tfMRI_WM_RL"
    if what == "no run":
        (run / "data.npy").unlink()
    elif what == "no timing":
        (run / "EVs" / "2bk_faces.txt").unlink()
    elif what == "no number":
        (run / "EVs" / "2bk_faces.txt").write_text("1.0 2.0 1\n1.0 two 1\n")
    elif what == "shape":
        np.save(run / "data.npy", np.zeros((30, 360)))
    elif what == "text":
        (run / "data.npy").write_text("no array")
    elif what == "region":
        np.save(folder / "regions.npy", np.array([["L_V9" if item == "L_V8" else item, ""] for item in RIGHT_FIRST]))
    elif what == "subjects":
        (folder / "subjects_list.txt").write_text("100307 100308")
    elif what == "layout":
        (folder / "subjects_list.txt").unlink()


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("no run", DataError, r"subject '100308' has no run WM RL: .*data\.npy"),
        ("no timing", DataError, r"'100308-WM-RL' has no timing of '2bk_faces': .*2bk_faces\.txt"),
        ("no number", DataError, r"line 2 of .*2bk_faces\.txt' is '1\.0 two 1'"),
        ("shape", ShapeError, r"data\.npy' has shape \(30, 360\).*\(region, time\), of 360"),
        ("text", DataError, r"data\.npy' cannot be read"),
        ("region", UnknownNameError, r"regions\.npy' names 360 regions, among them the unknown.* 'L_V9'"),
        ("subjects", EmptyDataError, r"2 subjects.*three or more"),
        ("layout", DataError, r"none of the layouts.*subjects_list\.txt"),
    ],
)
def test_bad_folders_are_named(tmp_path, what, error, message):
    write_listed(tmp_path, subjects=3)
    spoilt(tmp_path, what)
    with pytest.raises(error, match=message):
        HCPTask(str(tmp_path), TWO).load(0)


def test_labels_for_other_points_are_named(folders, tmp_path):
    with pytest.raises(ShapeError, match=r"\(44, 720\), the parcellation has 91282 grayordinates"):
        HCPTask(str(folders["connectome"]), TWO).load(0)
    with pytest.raises(SettingError, match="averaged over regions already"):
        HCPTask(str(folders["listed"]), TWO, labels="a.dlabel.nii").load(0)
    with pytest.raises(DataError, match="cannot be read"):
        HCPTask(str(folders["connectome"]), TWO, labels=str(tmp_path / "a.dlabel.nii")).load(0)


def test_the_shipped_parcellation_names_the_regions_in_our_order(folders):
    assert HCPTask(str(Path(folders["connectome"])), TWO).regions() == REGIONS
