"""Data as it is named on the command line."""

import numpy as np
import pytest

from perdure.cli.inputs import load_data
from perdure.core.errors import SettingError, UnknownNameError


def test_a_folder_of_pictures_names_its_dataset(tmp_path):
    with pytest.raises(SettingError, match=f"is a folder. Remedy: .*write image_folder:path={tmp_path}"):
        load_data(str(tmp_path), 0)


def test_an_array_by_itself_names_archives(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 1)))
    with pytest.raises(SettingError, match=r"no file that holds samples.*Remedy: .*savez\('data.npz', inputs=x"):
        load_data(str(tmp_path / "x.npy"), 0)


def test_a_name_comes_before_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "boxes").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(load_data("boxes:train=2,validation=2,test=2", 0).test) == 2
    with pytest.raises(UnknownNameError, match="did you mean 'boxes'"):
        load_data("boxs", 0)
