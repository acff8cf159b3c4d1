"""InputIBA: which single inputs carry the information that a prediction needs?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.attribution._layer import query_layer
from perdure.attribution.iba.adversarial import train_adversarial
from perdure.attribution.iba.generator import make_generator
from perdure.attribution.iba.matching import Features, match_moments
from perdure.attribution.iba.moments import (
    LayerMoments,
    fit_input_moments,
    fit_layer_moments,
    noise_from_moments,
    require_fitted,
)
from perdure.attribution.iba.search import MaskResult, MaskSearch, Noise, optimise_mask
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

__all__ = ["InputIBA"]

Prior = Literal["noise", "none", "moments", "adversarial"]
ReadOut = Literal["mask", "bits", "signed"]
Compat = Literal["corrected", "published"]

RELATIVE_BETA = 5.0
"""The information penalty where none is given, in multiples of the target drop."""

PUBLISHED_BETA = 20.0
"""That of the published form for images."""


@dataclass(frozen=True)
class InputIBA:
    r"""Squeeze the input itself until the prediction suffers, after a look at what a layer inside needs.

    The mask :math:`\lambda` of the input is searched, where what a prior mask m keeps is cheap:

    .. math:: \min_\lambda \; -\log \frac{p}{1 - p}(y \mid \lambda x + (1 - \lambda) \varepsilon)
              + \beta \, \overline{KL}[Z \,\|\, m \lambda x + (1 - m \lambda) \varepsilon]

    As published, the bottleneck of a layer first finds which of its features the prediction needs, and a generator
    learns m such that inputs of which it keeps the share m give these features.

    Args:
        prior: how m is learnt. "noise": m is 0, all information costs the same, and no layer is looked into; "none":
            the bottleneck map of the layer is the logit of m; "moments": mean and deviation of the features are
            matched; "adversarial": a critic is trained for every sample, as published.
        granularity: one mask for each "position" (step, token, pixel), or one for each "element" (also for each
            embedding coordinate or channel).
        read_out: whether the map shows the share that is kept, the "mask", the "bits" that pass, or is "signed": the
            share kept for the target less, of the rest, the share kept for its opposite. The two searches are made
            at once.
        layer: name of a module; None for the one 60 % of the way through the network.
        beta: the price of information at the input, of one nat per site, in nats of log-odds; None for 5 times what
            is at stake: how many nats lie between the input and noise, at least one.
        steps: of the search at the input.
        learning_rate: of the search at the input.
        copies: of the sample with noise of their own, in every step of both searches.
        start: logit of the mask before the first step.
        smoothing: deviation of the Gaussian that smooths the mask of images, in pixels.
        feature_beta: the price of information in the layer.
        feature_steps: of the search in the layer.
        compat: "corrected", or "published" with the choices of the published code that change results.
        inputs: what `fit` saw of the inputs; None before.
        inside: what it saw of the layer; None before, and for the prior "noise".

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        zhang2021inputiba

    Notes:
        A mask has no sign: what the target does not need and what speaks against it are alike, near 0. "signed" tells
        them apart as :math:`\lambda^+ - (1 - \lambda^+) \lambda^-`, where :math:`\lambda^-` is the mask of the
        target turned round; it is in `aux` as `against`.

        "published" explains log-probability, which leaves nothing to find where noise alone gives the class; it takes
        the last mask instead of the mean over the second half of the search, replaces the noise of the inputs by
        N(0, 1), weighs real features by their information in nats instead of the share kept, starts the masks of
        series in nats, draws unpaired noise, and has a price of 20 where none is given. In both forms dropout is off,
        deviations are those of valid steps, and a final state that the model reads is squeezed too.
    """

    prior: Prior = "noise"
    granularity: Granularity = "position"
    read_out: ReadOut = "mask"
    layer: str | None = None
    beta: float | None = None
    steps: int = 40
    learning_rate: float = 0.3
    copies: int = 4
    start: float = 1.0
    smoothing: float = 1.0
    feature_beta: float = 10.0
    feature_steps: int = 10
    compat: Compat = "corrected"
    inputs: Moments | None = field(default=None, compare=False, repr=False)
    inside: LayerMoments | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_choice("prior", self.prior, get_args(Prior))
        check_choice("read_out", self.read_out, get_args(ReadOut))
        check_choice("compat", self.compat, get_args(Compat))
        self._search(), self._feature_search()

    @property
    def is_fitted(self) -> bool:
        """Whether mean and deviation of the inputs, and of the layer, are known."""
        return self.inputs is not None

    def fit(self, model: nn.Module, batch: Batch) -> InputIBA:
        """Take mean and deviation of the inputs, and of the layer.

        Args:
            model: that will be explained.
            batch: at least two samples like those that will be explained.

        Returns:
            The method for this model.

        Raises:
            EmptyDataError: for fewer than two samples.
            UnknownNameError: when there is no such layer.
            UnsupportedError: when the layer gives no tensor.
        """
        batch = embed_batch(model, batch)
        inside = None if self.prior == "noise" else fit_layer_moments(model, self.layer, batch)
        return replace(self, inputs=fit_input_moments(batch), inside=inside)

    def scores(self, query: Query) -> MethodOutput:
        """Optimise the mask of the layer, learn the prior, and optimise the mask of the input.

        Args:
            query: the question; a logit or probability is taken as log-odds, any other target as it is.

        Returns:
            The map; in aux `mask` and `bits` at each site, m as `prior` where there is one, and `against`.

        Raises:
            UnsupportedError: before `fit`, or when the layer keeps no positions.
        """
        query = in_single(query)
        noise = self._noise(require_fitted(self.inputs, "input_iba"), query.x)
        query = replace(query, target=in_nats(query.bound, odds=self.compat == "corrected"))
        asked = _for_and_against(query) if self.read_out == "signed" else query
        prior = None if self.inside is None else self._prior(asked, self.inside, noise)
        found = optimise_mask(asked, noise, self._search(), "the input", prior)
        masks, bits = found.logit.sigmoid(), found.nats / NATS_PER_BIT
        every = {"mask": masks, "bits": bits} | ({} if prior is None else {"prior": prior.keep})
        aux = {name: values[:: len(asked.x) // len(query.x)] for name, values in every.items()}
        if self.read_out != "signed":
            return MethodOutput(aux[self.read_out], aux)
        kept, against = masks[::2], masks[1::2]
        return MethodOutput(kept - (1 - kept) * against, aux | {"against": against})

    def _prior(self, query: Query, inside: LayerMoments, noise: Noise) -> Mask:
        """Learn what is cheap to keep."""
        asked = query_layer(query, inside.layer)
        natural = inside.noise(asked.x)
        found = optimise_mask(asked, natural, self._feature_search(), f"layer '{inside.layer}'")
        generator = make_generator(query.x, self._first_logit(found.nats, query.x, inside.layer), noise)
        if self.prior == "none":
            return mask_from_logits(generator.logit)
        if self.prior == "adversarial":
            weight = found.nats if self.compat == "published" else found.mask.keep
            return train_adversarial(query, inside.layer, asked.x, weight, generator)
        return match_moments(query, inside.layer, _features(asked.x, natural, found), generator)

    def _first_logit(self, nats: Tensor, x: Tensor, layer: str) -> Float[Tensor, "batch *site"]:
        """Take the information of each position for the logit of its mask, in bits; published texts in nats."""
        unit = 1.0 if self.compat == "published" and x.ndim == 3 else NATS_PER_BIT
        return to_sites(to_positions(input_map(nats, x, layer)), x) / unit

    def _noise(self, inputs: Moments, x: Tensor) -> Noise:
        """Make the noise of the inputs, all of which take part."""
        one = x.new_ones(())
        if self.compat == "published":
            return Noise(one - 1, one, one)
        return replace(noise_from_moments(inputs, x, "the input"), active=one)

    def _search(self) -> MaskSearch:
        paired, averaged = (True, 0.5) if self.compat == "corrected" else (False, 0.0)
        beta, relative = self._beta()
        how = (beta, self.steps, self.learning_rate, self.copies, self.start, self.smoothing)
        return MaskSearch(*how, self.granularity, paired, averaged, relative)

    def _beta(self) -> tuple[float, bool]:
        """Return the information penalty, and whether it is in multiples of the target drop."""
        if self.beta is not None:
            return self.beta, False
        return (RELATIVE_BETA, True) if self.compat == "corrected" else (PUBLISHED_BETA, False)

    def _feature_search(self) -> MaskSearch:
        paired = self.compat == "corrected"
        return MaskSearch(self.feature_beta, self.feature_steps, 1.0, self.copies, 5.0, 0.0, "element", paired)


def _for_and_against(query: Query) -> Query:
    """Ask about each sample twice: what speaks for its target, and what against it."""
    samples = torch.arange(len(query.x))
    twice = slice_query(query, samples.repeat_interleave(2))
    return replace(twice, target=Signed(twice.target, torch.tensor([1.0, -1.0]).repeat(len(samples))))


def _features(z: Tensor, noise: Noise, found: MaskResult) -> Features:
    mean = (found.mask.keep * z + found.mask.drop * noise.mean) * noise.active
    deviation = found.mask.drop * noise.deviation * noise.active
    return Features(mean, deviation, noise.deviation)
