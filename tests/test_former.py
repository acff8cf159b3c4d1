"""What the documentation of version 0.1 imported works for one release, with a warning that names the present place."""

import importlib
import subprocess
import sys

import pytest

from perdure._former import MODULES, NAMES, RENAMED

DOCUMENTED = (
    "attribution.input_iba.InputIba",
    "cells.InputCellAttention",
    "core.batch.select",
    "core.trial.Measurement",
    "core.trial.Trial",
    "data.splits.Splits",
    "data.splits.split",
    "data.words.encode",
    "data.words.learn_vocabulary",
    "engine.explain.Explaining",
    "exchange.captum.as_captum",
    "exchange.pandas.to_frame",
    "exchange.shap.to_shap",
    "models.adapted.Adapted",
    "models.embedded.embedded",
    "models.presets.PRESETS",
    "models.presets.model_config",
    "models.pretrained.pretrained",
    "models.small_cnn.SmallCnn",
    "models.vgg16.Vgg16",
    "reproducibility.agreement.Run",
    "reproducibility.agreement.sample_agreement",
    "reproducibility.sites.site_vectors",
    "training.ensemble.train",
    "training.fit.fit",
    "training.source.shuffled",
)


@pytest.mark.parametrize("name", sorted({*DOCUMENTED, *NAMES}))
def test_a_former_name_is_imported_with_a_warning(name):
    module, _, attribute = f"perdure.{name}".rpartition(".")
    with pytest.warns(DeprecationWarning, match=rf"{module}\.{attribute} is now perdure\."):
        assert getattr(importlib.import_module(module), attribute) is not None


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_former_module_leads_to_one_that_exists(name):
    assert importlib.import_module(f"perdure.{MODULES[name]}")


def test_present_names_do_not_warn_and_unknown_ones_stay_unknown():
    for module in RENAMED:
        with pytest.raises(AttributeError, match="nothing"):
            importlib.import_module(f"perdure.{module}").nothing  # noqa: B018


def test_nothing_is_imported_for_them():
    code = "import sys, perdure; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
