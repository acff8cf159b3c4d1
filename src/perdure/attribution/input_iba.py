"""InputIBA: the input elements that have the information that a prediction needs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.attribution._layer import query_layer
from perdure.attribution.iba.adversarial import train_adversarial
from perdure.attribution.iba.annealing import Annealing, anneal_mask, select_mask, warn_unless_converged
from perdure.attribution.iba.generator import make_generator
from perdure.attribution.iba.matching import Features, match_moments
from perdure.attribution.iba.moments import (
    LayerMoments,
    fit_input_moments,
    fit_layer_moments,
    noise_from_moments,
    require_fitted,
)
from perdure.attribution.iba.noise import Noise, feature_quantiles, marginal_noise
from perdure.attribution.iba.retention import measure_retention
from perdure.attribution.iba.search import MaskResult, MaskSearch, optimise_mask
from perdure.attribution.information_bottleneck import input_map
from perdure.core.batch import Batch
from perdure.core.check import check_choice
from perdure.core.method import MethodOutput
from perdure.core.precision import in_single
from perdure.core.query import Query, slice_query
from perdure.core.target import Signed, in_nats
from perdure.models._embed import embed_batch
from perdure.ops.information import NATS_PER_BIT, Mask, mask_from_logits
from perdure.ops.moments import Moments
from perdure.ops.position import Granularity, to_positions, to_sites
from perdure.ops.sequence import site_mask

__all__ = ["InputIBA"]

Prior = Literal["noise", "none", "moments", "adversarial"]
ReadOut = Literal["annealed", "mask", "bits", "signed"]
NoiseKind = Literal["marginal", "gaussian"]
Compat = Literal["corrected", "published"]

PUBLISHED_BETA = 20.0
"""That of the published form for images."""


@dataclass(frozen=True)
class InputIBA:
    r"""Optimise a mask of the input that keeps the prediction and lets as few bits pass as possible.

    The mask :math:`\lambda` replaces part of each input element by noise. In one search for each sample the penalty of
    information grows from where everything is kept to where nothing is:

    .. math:: \min_\lambda \; -\log \frac{p}{1 - p}(y \mid \lambda x + (1 - \lambda) \varepsilon)
              + \beta_t \, KL[Z \,\|\, m \lambda x + (1 - m \lambda) \varepsilon]

    The map is the mean of the mask over this search: the logarithm, scaled to [0, 1], of the penalty at which an
    element is given up. The mask in `aux` is the one with the fewest bits that keeps 90 % of the probability.

    Args:
        prior: Source of m, which makes elements cheap to keep. "noise": m is 0, all information costs the same, and no
            layer is used. The others are published alternatives that find less: "none", the bottleneck map of the layer
            is the logit of m; "moments", mean and standard deviation of the features are matched; "adversarial", a
            critic is trained for every sample.
        granularity: Whether there is one mask for each "position" (step, token, pixel), or one for each "element"
            (also for each embedding coordinate or channel).
        read_out: Map that is returned: "annealed", the mean mask of the search; the "mask"; the "bits" that pass at
            each element; or "signed", the map for the target minus, where that is low, the map for its negation. With
            a fixed penalty "annealed" is the mask.
        layer: Name of a module; None for the one 60 % of the way through the network.
        beta: Penalty of one nat per element in nats of log-odds, for a search with a fixed penalty; None for the
            annealed search.
        steps: Steps of the search at the input; None for 50, or 40 with a fixed penalty.
        learning_rate: Learning rate of the search at the input; None for 25 divided by the steps, or 0.3 with a fixed
            penalty.
        copies: Draws of noise for each sample in every step of both searches.
        start: Logit of the mask before the first step; None for 4, or 1 with a fixed penalty.
        smoothing: Standard deviation in pixels of the Gaussian that smooths the mask of images.
        feature_beta: Penalty of information in the layer.
        feature_steps: Steps of the search in the layer.
        compat: "corrected", or "published" with the choices of the published code that change results.
        noise: Noise that replaces what is dropped: "marginal" draws each value from those of the same feature in
            other samples, "gaussian" has their mean and standard deviation; None for marginal, or Gaussian with a
            fixed penalty.
        keep: Fraction of the probability, or of the change of another target from noise to the input, that the mask
            in `aux` keeps.
        inputs: Moments of the inputs, from `fit`.
        values: Quantiles of each feature of the inputs, from `fit`.
        inside: Moments of the layer, from `fit`; None for the prior "noise".

    Raises:
        SettingError: If a value is out of range.

    Reference:
        zhang2021inputiba

    Notes:
        `aux` has the `mask` and the `bits` of each element, those of Gaussian noise with the same moments, and of each
        sample `kept`, the fraction of the prediction that the mask keeps under further noise, `converged`, and the
        penalty `beta` at this mask. `at_input` and `at_noise` are the probability of the class, or the function, at the
        sample and at noise: where `at_input` is low, the model predicts another class or is unsure, and the mask keeps
        a fraction of that. A sample that noise alone predicts as well has 0 bits; its map is still computed.

        The prior "noise" is the default, and the one to use. "none", "moments" and "adversarial" are the published
        alternatives, for comparison: they cost 1.3 to 3 times as much or more, and found less in all measurements.

        A mask has no sign: what the target does not need and what is evidence against it are both near 0. "signed"
        separates them as :math:`\lambda^+ - (1 - \lambda^+) \lambda^-`, where :math:`\lambda^-` is the map of the
        negated target; it is in `aux` as `against`.

        "published" explains log-probability, which leaves nothing to find where noise alone gives the class; it takes
        the last mask instead of the mean over the second half of the search, replaces the noise of the inputs by
        N(0, 1), weighs real features by their information in nats instead of the fraction kept, starts the masks of
        series in nats, draws unpaired noise, and has a penalty of 20 where none is given. In both forms dropout is
        off, standard deviations are those of valid steps, and a final state that the model reads is masked too.
    """

    prior: Prior = "noise"
    granularity: Granularity = "position"
    read_out: ReadOut = "annealed"
    layer: str | None = None
    beta: float | None = None
    steps: int | None = None
    learning_rate: float | None = None
    copies: int = 4
    start: float | None = None
    smoothing: float = 1.0
    feature_beta: float = 10.0
    feature_steps: int = 10
    compat: Compat = "corrected"
    noise: NoiseKind | None = None
    keep: float = 0.9
    inputs: Moments | None = field(default=None, compare=False, repr=False)
    values: Tensor | None = field(default=None, compare=False, repr=False)
    inside: LayerMoments | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_choice("prior", self.prior, get_args(Prior))
        check_choice("read_out", self.read_out, get_args(ReadOut))
        check_choice("compat", self.compat, get_args(Compat))
        if self.noise is not None:
            check_choice("noise", self.noise, get_args(NoiseKind))
        self._annealing() if self.is_annealed else self._search()
        self._feature_search()

    @property
    def is_fitted(self) -> bool:
        """Whether `fit` was called."""
        return self.inputs is not None

    @property
    def is_annealed(self) -> bool:
        """Whether the penalty grows during the search: in the corrected form without a beta."""
        return self.compat == "corrected" and self.beta is None

    @property
    def first_logit(self) -> float:
        """The logit of the mask before the first step."""
        return self._annealing().start if self.is_annealed else self._search().start

    def fit(self, model: nn.Module, batch: Batch) -> InputIBA:
        """Take moments and quantiles of the inputs, and the moments of the layer.

        Args:
            model: Model that will be explained.
            batch: At least two samples like those that will be explained.

        Returns:
            The method for this model.

        Raises:
            EmptyDataError: If there are fewer than two samples.
            UnknownNameError: If there is no such layer.
            UnsupportedError: If the layer returns no tensor.
        """
        batch = embed_batch(model, batch)
        inside = None if self.prior == "noise" else fit_layer_moments(model, self.layer, batch)
        inputs = fit_input_moments(batch)
        values = feature_quantiles(batch.inputs, site_mask(batch.mask, batch.inputs))
        return replace(self, inputs=inputs, values=values, inside=inside)

    def scores(self, query: Query) -> MethodOutput:
        """Optimise the mask of the input, after learning the prior where there is one.

        Args:
            query: Query of the inputs; a logit or probability is taken as log-odds, any other target as it is.

        Returns:
            The map; in aux `mask` and `bits` of each element, `kept`, `converged`, `beta`, `at_input` and `at_noise` of
            each sample of an annealed search, m as `prior` where there is one, and `against`.

        Raises:
            UnsupportedError: Before `fit`, or if the layer has no positions.
        """
        query = in_single(query)
        noise = self.input_noise(query.x)
        query = replace(query, target=in_nats(query.bound, odds=self.compat == "corrected"))
        return self._anneal(query, noise) if self.is_annealed else self._optimise(query, noise)

    def input_noise(self, x: Float[Tensor, "batch *site"]) -> Noise:
        """Make the noise that replaces the inputs.

        Args:
            x: Inputs with the dtype, device and shape of the noise.

        Returns:
            The noise, in which all elements take part.

        Raises:
            UnsupportedError: Before `fit`.
            ShapeError: If the inputs do not have the shape of those of `fit`.
        """
        inputs, unit = require_fitted(self.inputs, "input_iba"), x.new_ones(())
        if self.compat == "published":
            return Noise(unit - 1, unit, unit)
        marginal = self.is_annealed if self.noise is None else self.noise == "marginal"
        if marginal:
            return marginal_noise(require_fitted(self.values, "input_iba"), x, "the input")
        return replace(noise_from_moments(inputs, x, "the input"), active=unit)

    def _optimise(self, query: Query, noise: Noise) -> MethodOutput:
        """Search with a fixed penalty."""
        rows = _for_and_against(query) if self.read_out == "signed" else query
        prior = None if self.inside is None else self._prior(rows, self.inside, noise)
        result = optimise_mask(rows, noise, self._search(), "the input", prior)
        masks = result.logit.sigmoid()
        every = {"mask": masks, "bits": result.nats / NATS_PER_BIT} | ({} if prior is None else {"prior": prior.keep})
        aux = {name: values[:: len(rows.x) // len(query.x)] for name, values in every.items()}
        if self.read_out != "signed":
            return MethodOutput(aux["bits" if self.read_out == "bits" else "mask"], aux)
        kept, against = masks[::2], masks[1::2]
        return MethodOutput(kept - (1 - kept) * against, aux | {"against": against})

    def _anneal(self, query: Query, noise: Noise) -> MethodOutput:
        """Search with a growing penalty."""
        settings, name = self._annealing(), "the input"
        retention = measure_retention(query, noise, name)
        query = replace(query, target=Signed(query.target, retention.direction))
        signed = self.read_out == "signed"
        rows = _for_and_against(query) if signed else query
        copies = len(rows.x) // len(query.x)
        prior = None if self.inside is None else self._prior(rows, self.inside, noise)
        path = anneal_mask(rows, noise, settings, retention.drop.repeat_interleave(copies), name, prior)
        first = slice(None, None, copies)
        own = None if prior is None else Mask(prior.keep[first], prior.drop[first])
        result = select_mask(query, noise, settings, path.select(first), retention, name, own)
        warn_unless_converged(result, settings)
        aux = {"mask": result.keep, "bits": result.nats / NATS_PER_BIT}
        aux |= {"kept": result.kept, "converged": result.converged, "beta": result.beta}
        aux |= {"at_input": retention.at_input, "at_noise": retention.at_noise}
        aux |= {} if own is None else {"prior": own.keep}
        if not signed:
            return MethodOutput(path.mean if self.read_out == "annealed" else aux[self.read_out], aux)
        kept, against = path.mean[::2], path.mean[1::2]
        direction = retention.direction.to(kept).view(-1, *[1] * (kept.ndim - 1))
        return MethodOutput(direction * (kept - (1 - kept) * against), aux | {"against": against})

    def _prior(self, query: Query, inside: LayerMoments, noise: Noise) -> Mask:
        """Learn what is cheap to keep."""
        layer_query = query_layer(query, inside.layer)
        natural = inside.noise(layer_query.x)
        result = optimise_mask(layer_query, natural, self._feature_search(), f"layer '{inside.layer}'")
        generator = make_generator(query.x, self._first_logit(result.nats, query.x, inside.layer), noise)
        if self.prior == "none":
            return mask_from_logits(generator.logit)
        if self.prior == "adversarial":
            weight = result.nats if self.compat == "published" else result.mask.keep
            return train_adversarial(query, inside.layer, layer_query.x, weight, generator)
        return match_moments(query, inside.layer, _features(layer_query.x, natural, result), generator)

    def _first_logit(self, nats: Tensor, x: Tensor, layer: str) -> Float[Tensor, "batch *site"]:
        """Take the information of each position for the logit of its mask, in bits; published texts in nats."""
        unit = 1.0 if self.compat == "published" and x.ndim == 3 else NATS_PER_BIT
        return to_sites(to_positions(input_map(nats, x, layer)), x) / unit

    def _annealing(self) -> Annealing:
        steps, start = (default if value is None else value for value, default in ((self.steps, 50), (self.start, 4.0)))
        rate, size = self.learning_rate, self.granularity
        return Annealing(int(steps), rate, self.copies, start, self.smoothing, size, self.keep)

    def _search(self) -> MaskSearch:
        paired, averaged = (True, 0.5) if self.compat == "corrected" else (False, 0.0)
        settings = (self.beta, self.steps, self.learning_rate, self.start)
        defaults = (PUBLISHED_BETA, 40, 0.3, 1.0)
        beta, steps, rate, start = (
            default if value is None else value for value, default in zip(settings, defaults, strict=True)
        )
        how = (self.copies, start, self.smoothing, self.granularity, paired, averaged)
        return MaskSearch(beta, int(steps), rate, *how)

    def _feature_search(self) -> MaskSearch:
        paired = self.compat == "corrected"
        return MaskSearch(self.feature_beta, self.feature_steps, 1.0, self.copies, 5.0, 0.0, "element", paired)


def _for_and_against(query: Query) -> Query:
    """Repeat each sample: the first copy has the target, the second its negation."""
    samples = torch.arange(len(query.x))
    twice = slice_query(query, samples.repeat_interleave(2))
    return replace(twice, target=Signed(twice.target, torch.tensor([1.0, -1.0]).repeat(len(samples))))


def _features(z: Tensor, noise: Noise, result: MaskResult) -> Features:
    mean = (result.mask.keep * z + result.mask.drop * noise.mean) * noise.active
    std = result.mask.drop * noise.std * noise.active
    return Features(mean, std, noise.std)
