from dataclasses import replace

import numpy as np
import pytest

from perdure.audit.result import Audit, AuditedMethod, AuditedModel, Verdicts
from perdure.core.batch import Text
from perdure.core.estimate import Estimate, Verdict

HOSTILE = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 2'> $x_{ %{x} <b>_"


def picture(name: str = "LSTM", samples: int = 2) -> Audit:
    """A small audit in which every text is `name` or holds it."""
    draw = np.random.default_rng(0)
    inputs, maps = draw.normal(size=(samples, 12, 5)), np.abs(draw.normal(size=(samples, 12, 5)))
    truth = np.zeros(inputs.shape, dtype=bool)
    truth[:, :4, 1:3] = True
    profile = np.arange(12.0, 0.0, -1.0) / 78
    number = Estimate(0.4, 0.2, 1.0, (0.3, 0.5), name=name, higher_is_better=True)
    verdict = Verdict(name, name, "bad", name, (number,))
    return Audit(
        title=name,
        subtitle=name,
        answer=name,
        models=(AuditedModel(name, number, (AuditedMethod(name, (number,), Verdicts(down_to_input=verdict)),)),),
        provenance={name: {name: name}, "seed": 0},
        labels=(name,) * samples,
        arrays={
            f"profile/{name}": np.stack([profile, profile * 0.9, profile * 1.1]),
            f"mean_map/{name}": maps.mean(0),
            "inputs": inputs,
            f"map/{name}": maps,
            "truth": truth,
            "truth_profile": truth[0].sum(1)[::-1] / truth[0].sum(),
            "mean_truth": truth[0],
        },
    )


def of_images(name: str = "CNN") -> Audit:
    """The same of images."""
    draw = np.random.default_rng(0)
    truth = np.zeros((2, 8, 9), dtype=bool)
    truth[:, 2:5, 3:7] = True
    inputs, maps = draw.normal(size=(2, 3, 8, 9)), draw.normal(size=truth.shape)
    return replace(picture(name), arrays={"inputs": inputs, f"map/{name}": maps, "truth": truth})


def of_texts(name: str = "LSTM", words: str = "Well, not bad!") -> Audit:
    """The same of texts, each of three tokens and a padded step."""
    spans = ((0, 1), (1, 2), (2, len(words)))
    maps = np.array([[0.5, -1.0, 3.0, np.nan]] * 2)
    truth = np.array([[False, True, False, False]] * 2)
    series = picture(name)
    profiles = {key: value for key, value in series.arrays.items() if "profile" in key}
    arrays = {**profiles, "inputs": np.zeros((2, 4)), f"map/{name}": maps, "truth": truth}
    return replace(series, arrays=arrays, texts=(Text(words, spans),) * 2)


@pytest.fixture(scope="session")
def audit() -> Audit:
    return picture()


@pytest.fixture(scope="session")
def hostile() -> Audit:
    return picture(HOSTILE)
