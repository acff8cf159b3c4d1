"""Speech of espeak-ng voices, and the speaker network that Resemblyzer ships."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import DependencyError
from perdure.core.random import stream
from perdure.studies._real import RealCase, locate_package, select_correct
from perdure.training.predict import predict

__all__ = ["SpeakerNetwork", "compute_mel_frames", "load_speech"]

PURPOSE = "the part 'speech'"
RATE, WINDOW, HOP, BANDS, FRAMES = 16000, 400, 160, 40, 160
"""Samples per second, per window and between windows; mel bands; and frames of an utterance, 1.6 s."""

LOUDNESS = -30.0
"""Root mean square of an utterance in decibels, to which the network was trained."""

REPORTED = (
    ("en-us+m1", 40),
    ("en-gb+m5", 55),
    ("en-us+f1", 70),
    ("en-gb+f4", 60),
    ("en-gb-scotland", 35),
    ("en-us+f5", 85),
)
DEVELOPMENT = (("en-us", 50), ("en-gb", 30), ("en-us+f3", 60), ("en-gb+f2", 80), ("en-us+m3", 20), ("en-us+m7", 50))
"""Voices and their pitch; those on which settings were chosen are apart."""

WORDS = (
    "the quick brown fox jumps over a lazy dog near the old river bank while seven wise women sing songs of summer and "
    "many people know why the market closed so early on such a bright morning in may when they usually walk"
)
TEXTS, LENGTH = 24, 14
"""Texts of each voice, and their words."""

STEPS, LEARNING_RATE = 300, 0.05


class SpeakerNetwork(nn.Module):
    """The speaker encoder of Resemblyzer, three LSTMs and a linear layer, with a head that classifies the speaker.

    Args:
        classes: Number of speakers.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BANDS, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)
        self.head = nn.Linear(256, classes)

    def encode(self, x: Float[Tensor, "batch frame band"]) -> Float[Tensor, "batch 256"]:
        """Encode utterances.

        Args:
            x: Power of each mel band.

        Returns:
            Vectors of length 1.
        """
        code = self.linear(self.lstm(x)[1][0][-1]).relu()
        result: Tensor = code / (code.norm(dim=1, keepdim=True) + 1e-9)
        return result

    def forward(self, x: Float[Tensor, "batch frame band"]) -> Float[Tensor, "batch speaker"]:
        """Classify utterances.

        Args:
            x: Power of each mel band.

        Returns:
            Logits of the speakers.
        """
        logits: Tensor = self.head(self.encode(x))
        return logits


def load_speech(seed: int, development: bool, samples: int, *, spliced: bool) -> RealCase:
    """Make speech, train the head, and select utterances whose speaker is recognised.

    Args:
        seed: Seed of texts, head and splices.
        development: Whether the voices are those on which settings were chosen.
        samples: Maximum number of utterances.
        spliced: Whether half of each utterance is of another speaker: the explained class is the predicted one, and
            the truth its half.

    Returns:
        The case.

    Raises:
        DependencyError: If Resemblyzer or espeak-ng is not installed.
    """
    folder = locate_package("resemblyzer", "speech", PURPOSE)
    voices = DEVELOPMENT if development else REPORTED
    train, test = _make_utterances(voices, seed)
    model = SpeakerNetwork(len(voices)).eval()
    weights = torch.load(folder / "pretrained.pt", map_location="cpu", weights_only=True)["model_state"]
    model.load_state_dict(
        {key: value for key, value in weights.items() if key.startswith(("lstm.", "linear."))}, strict=False
    )
    _train_head(model, train, seed)
    names = tuple(voice for voice, _ in voices)
    if spliced:
        return RealCase(model, train, _splice(model, test, samples, seed), names)
    return RealCase(model, train, select_correct(model, test, samples, seed), names)


def compute_mel_frames(sound: Float[Tensor, " sample"]) -> Float[Tensor, "frame band"]:
    """Compute the power of mel bands, as the network was trained with.

    Args:
        sound: Samples at 16 kHz.

    Returns:
        One row for each hundredth of a second.

    Example:
        >>> tone = torch.sin(torch.arange(RATE) * (2 * torch.pi * 440 / RATE))
        >>> compute_mel_frames(tone).shape, compute_mel_frames(tone).mean(0).argmax().item()
        (torch.Size([101, 40]), 5)
    """
    window = torch.hann_window(WINDOW)
    power = torch.stft(sound, WINDOW, HOP, window=window, return_complex=True).abs().square()
    return (_mel_bands() @ power).T


def _mel_bands() -> Float[Tensor, "band frequency"]:
    """Make triangles that are equally wide on the mel scale of Slaney, linear below 1 kHz and logarithmic above."""
    ends = np.linspace(0.0, 15 + np.log(RATE / 2000) / (np.log(6.4) / 27), BANDS + 2)
    hertz = np.where(ends < 15, ends * 200 / 3, 1000 * np.exp((np.log(6.4) / 27) * (ends - 15)))
    low, middle, high = hertz[:-2, None], hertz[1:-1, None], hertz[2:, None]
    frequency = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    rise, fall = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
    return torch.from_numpy(np.maximum(0, np.minimum(rise, fall)) * 2 / (high - low)).float()


def _synthesise(text: str, voice: str, speed: int, pitch: int) -> Float[Tensor, " sample"]:
    """Synthesise a text with espeak-ng at the rate and loudness of the network."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise DependencyError(f"{PURPOSE} needs the program espeak-ng, which is not installed", "apt install espeak-ng")
    command = [program, "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text]
    spoken = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        rate, sound = file.getframerate(), np.frombuffer(spoken[44:], dtype=np.int16) / 2**15
    time = np.arange(0, len(sound) / rate, 1 / RATE)
    sound = np.interp(time * rate, np.arange(len(sound)), sound)
    size = max(float(np.sqrt(np.mean(np.square(sound)))), 1e-6)
    return torch.from_numpy(sound * (10 ** (LOUDNESS / 20) / size)).float()


def _make_utterances(voices: tuple[tuple[str, int], ...], seed: int) -> tuple[Batch, Batch]:
    """Make utterances of each voice; those of the last quarter of the texts are for the test."""
    generator, words = stream(seed, "speech"), WORDS.split()
    parts: tuple[list[Tensor], list[Tensor]] = ([], [])
    labels: tuple[list[int], list[int]] = ([], [])
    for speaker, (voice, pitch) in enumerate(voices):
        for number in range(TEXTS):
            drawn = torch.randint(2**30, (LENGTH + 2,), generator=generator).tolist()
            text = " ".join(words[draw % len(words)] for draw in drawn[2:])
            frames = compute_mel_frames(_synthesise(text, voice, 140 + drawn[0] % 50, pitch - 8 + drawn[1] % 17))
            utterances = frames.unfold(0, FRAMES, FRAMES // 2).transpose(1, 2)
            part = int(number >= TEXTS * 3 // 4)
            parts[part].append(utterances)
            labels[part].extend([speaker] * len(utterances))
    batches = [Batch(torch.cat(x), torch.tensor(label)) for x, label in zip(parts, labels, strict=True)]
    train, test = (slice_batch(batch, torch.randperm(len(batch), generator=generator)) for batch in batches)
    return train, test


def _train_head(model: SpeakerNetwork, train: Batch, seed: int) -> None:
    """Train the head on the codes of utterances."""
    with torch.no_grad():
        code = torch.cat([model.encode(part) for part in torch.split(train.inputs, 64)])
        for parameter in model.head.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=stream(seed, "head")) / 8 - 1 / 16)
    adam = torch.optim.Adam(model.head.parameters(), LEARNING_RATE)
    for _ in range(STEPS):
        adam.zero_grad()
        cross_entropy(model.head(code), train.label).backward()
        adam.step()


def _splice(model: SpeakerNetwork, test: Batch, samples: int, seed: int) -> Batch:
    """Replace half of each utterance by that of another speaker, and select those whose prediction is one of both."""
    order = torch.randperm(len(test), generator=stream(seed, "splice"))
    first, second = test, slice_batch(test, order)
    half = FRAMES // 2
    x = torch.cat([first.inputs[:, :half], second.inputs[:, half:]], 1)
    predicted = predict(model, Batch(x, first.label)).argmax(1)
    of_second = predicted == second.label
    usable = (first.label != second.label) & ((predicted == first.label) | of_second)
    index = usable.nonzero()[:samples, 0]
    late = torch.arange(FRAMES) >= half
    truth = (late == of_second[index, None])[..., None].expand(-1, -1, BANDS)
    return replace(slice_batch(test, index), inputs=x[index], label=predicted[index], truth=truth)
