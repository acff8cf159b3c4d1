"""What is asked about the paths between two training runs."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.core.check import check_choice, check_counts
from perdure.core.errors import SettingError
from perdure.landscape.route import KINDS

__all__ = ["PathSettings"]


@dataclass(frozen=True)
class PathSettings:
    """Which paths to lay, and what to look at along them.

    Args:
        kinds: of paths, from `KINDS`, in the order of the page.
        methods: attribution methods by registry name, with settings; the answer rests on the first.
        allowed: the most that the loss of a tracked path may lie above that of the worse end, in nats; None lets
            it rise as far as is needed.
        align: whether to match the units of both runs first, where the symmetries of the model are known.
        points: of a path that are looked at, at equal arc length, both ends among them.
        samples: test samples to explain, at most.
        clusters: how many clusters of explanations are followed.
        seed: of all that is drawn.

    Raises:
        SettingError: for a value that cannot be used.
    """

    kinds: tuple[str, ...] = ("linear", "bezier", "valley")
    methods: tuple[str, ...] = ("gradient",)
    allowed: float | None = None
    align: bool = True
    points: int = 13
    samples: int = 128
    clusters: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for kind in self.kinds:
            check_choice("kind", kind, KINDS)
        for what, some in (("kind of path", self.kinds), ("attribution method", self.methods)):
            if not some or len(set(some)) < len(some):
                raise SettingError(f"each {what} is to be named once, but they are {some}", "name at least one, once")
        check_counts(points=self.points - 1, samples=self.samples, clusters=self.clusters)
        if self.allowed is not None and not self.allowed >= 0:
            raise SettingError(f"allowed is {self.allowed}", "give a loss increase of at least 0, or leave it out")
        if "published" in self.kinds and self.allowed is None:
            raise SettingError(
                "the published tracking needs to know how far the loss may rise",
                "give allowed, for example the increase that 'valley' needs",
            )
