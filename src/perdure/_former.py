"""Modules and classes under the names of version 0.1, for one release: each use warns and names the present place."""

from __future__ import annotations

import importlib
import sys
import types
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

__all__ = ["install"]

MODULES = {
    "attribution.attribute": "attribution._attribute",
    "bottleneck": "attribution.iba",
    "bottleneck.adversarial": "attribution.iba.adversarial",
    "bottleneck.critic": "attribution.iba.critic",
    "bottleneck.generator": "attribution.iba.generator",
    "bottleneck.inside": "attribution.iba.moments",
    "bottleneck.matching": "attribution.iba.matching",
    "bottleneck.search": "attribution.iba.search",
    "cells": "nn",
    "cells.fused": "nn.fused",
    "cells.input_attention": "nn.input_attention",
    "cells.stacked": "nn.stacked",
    "core.evaluation": "core.forward",
    "core.layer": "attribution._layer",
    "core.protocols": "core.method",
    "core.text": "core.batch",
    "core.trial": "core.metric",
    "core.verdict": "core.estimate",
    "data.splits": "data._splits",
    "data.texts": "data._read.texts",
    "data.words": "data._read.words",
    "engine.fitted": "engine.explain",
    "engine.judge": "engine.evaluate",
    "exchange": "interop",
    "exchange.captum": "interop.captum",
    "exchange.pandas": "interop.pandas",
    "exchange.pipeline": "interop.pipeline",
    "exchange.quantus": "interop.quantus",
    "exchange.quantus_metric": "interop.quantus_metric",
    "exchange.shap": "interop.shap",
    "exchange.xarray": "interop.xarray",
    "metrics.evaluate": "metrics._evaluate",
    "metrics.precision_recall": "metrics.auprc",
    "metrics.roc": "metrics.auroc",
    "metrics.sanity_check": "metrics.parameter_randomisation",
    "models.adapted": "models._adapted",
    "models.embedded": "models._embed",
    "models.from_transformers": "models._from_transformers",
    "models.hugging_face": "models._hugging_face",
    "models.presets": "models._presets",
    "models.pretrained": "models._pretrained",
    "models.token_model": "models._token_model",
    "models.weights": "models._weights",
    "reproducibility": "stability",
    "reproducibility.agreement": "stability.agreement",
    "reproducibility.clusters": "stability.clusters",
    "reproducibility.consistency": "stability.consistency",
    "reproducibility.null": "stability.null",
    "reproducibility.sites": "stability.vectors",
    "reproducibility.variance": "stability.variance",
    "reproducibility.vectors": "stability.vectors",
    "training.course": "training.loop",
    "training.ensemble": "training.train",
    "training.fit": "training.loop",
    "training.source": "training.batches",
    "training.together": "training.many",
}
"""Former and present modules, below perdure."""

NAMES = {
    "attribution.deep_lift.DeepLift": "attribution.deep_lift.DeepLIFT",
    "attribution.deep_lift_shap.DeepLiftShap": "attribution.deep_lift_shap.DeepLIFTSHAP",
    "attribution.grad_cam.GradCam": "attribution.grad_cam.GradCAM",
    "attribution.gradient_shap.GradientShap": "attribution.gradient_shap.GradientSHAP",
    "attribution.guided_grad_cam.GuidedGradCam": "attribution.guided_grad_cam.GuidedGradCAM",
    "attribution.input_iba.InputIba": "attribution.input_iba.InputIBA",
    "attribution.kernel_shap.KernelShap": "attribution.kernel_shap.KernelSHAP",
    "attribution.lime.Lime": "attribution.lime.LIME",
    "core.attribution.Explained": "core.method.MethodOutput",
    "core.batch.batches": "core.batch.split_batch",
    "core.batch.select": "core.batch.slice_batch",
    "core.protocols.Attends": "core.abilities.HasAttention",
    "core.protocols.Embeds": "core.abilities.HasEmbedding",
    "core.protocols.Metric": "core.metric.Metric",
    "core.protocols.Resumable": "core.abilities.Resumable",
    "core.query.part": "core.query.slice_query",
    "core.registry.name_of": "core.spec.name_of",
    "core.target.as_target": "core.labels.as_target",
    "core.trial.Trial": "core.attribution.make_trial",
    "data.cifar10.Cifar10": "data.cifar10.CIFAR10",
    "data.hcp_task.HcpTask": "data.hcp_task.HCPTask",
    "data.imdb.Imdb": "data.imdb.IMDB",
    "data.mnist_series.MnistSeries": "data.mnist_series.MNISTSeries",
    "data.simulated_fmri.SimulatedFmri": "data.simulated_fmri.SimulatedFMRI",
    "engine.explain.Explaining": "engine.explain.ExplainJob",
    "engine.fitted.prepared": "engine.explain.fit_method",
    "engine.judge.Judging": "engine.evaluate.EvaluateJob",
    "engine.judge.judge": "engine.evaluate.evaluate_maps",
    "metrics.iou.Iou": "metrics.iou.IoU",
    "metrics.precision_recall.PrecisionRecall": "metrics.auprc.AUPRC",
    "metrics.roc.Roc": "metrics.auroc.AUROC",
    "metrics.sanity_check.SanityCheck": "metrics.parameter_randomisation.ParameterRandomisation",
    "models.deep_lstm.DeepLstm": "models.deep_lstm.DeepLSTM",
    "models.embedded.embedded": "models._embed.embed_batch",
    "models.pretrained.pretrained": "models._pretrained.load_pretrained",
    "models.resnet.Resnet": "models.resnet.ResNet",
    "models.small_cnn.SmallCnn": "models.small_cnn.SmallCNN",
    "models.vgg16.Vgg16": "models.vgg16.VGG16",
    "reproducibility.agreement.Run": "stability.agreement.RunExplanations",
    "reproducibility.agreement.sample_agreement": "stability.agreement.measure_sample_agreement",
    "reproducibility.sites.site_vectors": "stability.vectors.pool_by_position",
    "reproducibility.vectors.event_vectors": "stability.vectors.pool_by_event",
    "training.source.shuffled": "training.batches.shuffle_batches",
}
"""Former and present names, where they differ or moved apart from their module."""

RENAMED = {name.rpartition(".")[0] for name in NAMES} - set(MODULES)
"""Modules that are where they were, with another name in them."""


def install() -> None:
    """Let the former names be imported."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds former modules, and present ones with former names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the specification of such a module; None for all others."""
        package, _, name = fullname.partition(".")
        if package != "perdure":
            return None
        if name in MODULES:
            is_package = any(other.startswith(f"{name}.") for other in MODULES)
            return ModuleSpec(fullname, _Forwarded(), is_package=is_package)
        if name not in RENAMED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Extended(spec.loader)
        return spec


class _Forwarded(Loader):
    """Makes a module whose names are those of the present one."""

    def create_module(self, spec: ModuleSpec) -> types.ModuleType | None:  # noqa: ARG002
        """Create the module in the usual way."""
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        """Forward every name."""
        module.__dict__["__getattr__"] = _forward(module.__name__)


class _Extended(Loader):
    """Loads a module in the usual way and adds its former names."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def create_module(self, spec: ModuleSpec) -> types.ModuleType | None:
        """Create the module."""
        module: types.ModuleType | None = self.inner.create_module(spec)
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module."""
        self.inner.exec_module(module)
        module.__dict__["__getattr__"] = _forward(module.__name__)

    def __getattr__(self, name: str) -> Any:
        """Leave all else, such as the source, to the usual loader."""
        return getattr(self.inner, name)


def _forward(module: str) -> Any:
    former = module.removeprefix("perdure.")

    def look_up(name: str) -> Any:
        present = NAMES.get(f"{former}.{name}") or (former in MODULES and f"{MODULES[former]}.{name}")
        if name.startswith("__") or not present:
            raise AttributeError(f"module '{module}' has no attribute '{name}'")
        place, _, attribute = f"perdure.{present}".rpartition(".")
        value = getattr(importlib.import_module(place), attribute)
        warnings.warn(f"{module}.{name} is now {place}.{attribute}", DeprecationWarning, stacklevel=2)
        return value

    return look_up
