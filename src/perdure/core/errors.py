"""Named errors: each states what happened, the cause, and the remedy."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "BudgetError",
    "CheckpointError",
    "CheckpointWarning",
    "CompletenessWarning",
    "ConstantScoreError",
    "ConvergenceWarning",
    "CorruptFileWarning",
    "DataError",
    "DependencyError",
    "EmptyDataError",
    "EngineError",
    "EngineWarning",
    "FactoryError",
    "InconsistentOutputWarning",
    "IndependentOutputError",
    "LabelError",
    "LeftOutWarning",
    "LengthError",
    "MemoryLimitError",
    "NonFiniteError",
    "OutputsWarning",
    "PaddingWarning",
    "PartError",
    "PartialInputWarning",
    "PerdureError",
    "ProbabilityWarning",
    "RenamedWarning",
    "RunFolderError",
    "SettingError",
    "ShapeError",
    "UnknownNameError",
    "UnsupportedError",
    "VocabularyError",
    "memory_limit_error",
    "user_code_errors",
]


class PerdureError(Exception):
    """Base of every error that a user can mend: a cause and a remedy.

    Args:
        cause: Description of the problem, with the values that show it.
        remedy: Instruction that solves it.

    Example:
        >>> print(ShapeError("x has rank 2", "pass (batch, time, feature)"))
        x has rank 2. Remedy: pass (batch, time, feature).
    """

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause, remedy)
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.cause.rstrip('.')}. Remedy: {self.remedy.rstrip('.')}."


class DataError(PerdureError):
    """A file or array does not contain the required data.

    The message names the file and the row and column, or the array, and what was expected there. Mend the file; nothing
    is read in part.
    """


class EmptyDataError(DataError):
    """A dataset or batch holds no sample.

    Mostly a path that matches nothing, a filter that keeps nothing, or a split that is too small to have every part.
    """


class ShapeError(DataError):
    """A tensor has the wrong rank, shape or dtype.

    Series are (batch, time, feature), images (batch, channel, row, column), logits (batch, classes). Floats are needed
    where something is differentiated; token ids go through `perdure.models.embed_batch`.
    """


class NonFiniteError(DataError):
    """A tensor holds NaN or infinity.

    In inputs: fill or drop the values before. In a loss or gradient: the training diverged; lower the learning rate or
    clip gradients. In a score: the map has no value there.
    """


class LengthError(DataError):
    """A sequence length is zero or beyond the number of steps.

    Lengths count valid steps from the start; drop samples that have none.
    """


class LabelError(DataError):
    """A label lies outside the classes of the model.

    Labels are whole numbers from 0 to classes - 1; a class that only the test split has cannot have been learnt.
    """


class VocabularyError(DataError):
    """A token id lies outside the vocabulary, or there is no vocabulary.

    Encode texts with the vocabulary that the model was trained with; `perdure train` keeps it with the weights.
    """


class UnknownNameError(PerdureError):
    """No method, metric, dataset, model or study has this name.

    The message names the nearest ones; `perdure list` shows all.
    """


class SettingError(PerdureError):
    """A setting has an unknown name or a value that cannot be used.

    `perdure list NAME` shows the settings of a thing with their types and defaults.
    """


class UnsupportedError(PerdureError):
    """A model or target cannot be explained in the requested way.

    For example Grad-CAM of a network without convolutions, attention of a model that has none, or DeepLIFT of an LSTM,
    whose sum would be wrong without a warning. The message names alternatives.
    """


class FactoryError(PerdureError):
    """A factory of models cannot be found, raises, or gives no model.

    A factory is a function in a file or a package, `own.py:make`, that returns a `torch.nn.Module`; it may name the
    arguments `features`, `classes`, `generator` and `seed`. The message holds what it raised, and at which line.
    """


class IndependentOutputError(UnsupportedError):
    """The output of the model does not depend on its input.

    The graph is cut (a `detach`, `no_grad` or conversion to numpy inside the model), the layer that was named does not
    reach the output, or the model is constant.
    """


class DependencyError(PerdureError):
    """An optional package is missing.

    The message names the extra to install, such as `pip install 'perdure[report]'`.
    """


class EngineError(PerdureError):
    """Work cannot be shared out, or its workers die."""


class EngineWarning(UserWarning):
    """Fewer workers did the work than were requested, as they died or found no free core.

    The results do not depend on it. The logs of Ray contain the causes; use fewer workers where memory is short.
    """


class MemoryLimitError(PerdureError):
    """A computation needs more memory than there is.

    The message contains what the allocator reports. Fewer rows in a call of the model need less: pass a smaller
    `batch_size`; so do fewer workers and fewer samples.
    """


class ConstantScoreError(PerdureError):
    """A metric gives every map the same score, as the number that it follows never changes.

    A probability that is 1 at every perturbed input is the usual case: outputs of a regression taken for logits, or a
    class that no perturbation touches. Declare what the model returns, or follow the target itself.
    """


class BudgetError(PerdureError):
    """A time budget is too small for one method on a few samples.

    The message gives the time that it needs.
    """


class RunFolderError(PerdureError):
    """A run folder belongs to another run, is not one, or cannot be written.

    A folder holds the results of one configuration. Give another folder with `--out`, or use the settings of the
    existing run; what is finished in it is never overwritten.
    """


class PartError(PerdureError):
    """A stored part cannot be read.

    A part is written whole or not at all, so it was changed or damaged since. Delete the file that is named and run the
    command again: only this part is computed anew.
    """


class CheckpointError(PerdureError):
    """A checkpoint cannot be loaded safely or does not fit.

    Weights are read from safetensors, or from a state dict with `weights_only`; a pickle with anything else in it could
    run foreign code and is refused. Where tensors do not fit, the message names them.
    """


class PaddingWarning(UserWarning):
    """A model processes padded steps as data because its forward accepts neither lengths nor a mask.

    Let its `forward` take `lengths` or `mask`, and stop at the last valid step; a recurrence that reads on to the end
    of the padding forgets, and its explanations then describe the padding.
    """


class InconsistentOutputWarning(UserWarning):
    """A model returns other outputs for the same sample from call to call, or next to other samples.

    It keeps a state between calls, draws at random also in evaluation mode, or mixes the samples of a call, so it has
    no explanation that depends on the sample alone. Let `forward` begin from a fresh state, give `F.dropout` the
    argument `training=self.training`, and normalise each sample by itself or by running statistics.
    """


class OutputsWarning(UserWarning):
    """What a model returns is assumed, as its outputs do not show it.

    Declare it: `perdure.Adapted(model, outputs=...)`, on the command line `--outputs`.
    """


class ProbabilityWarning(OutputsWarning):
    """The model returns probabilities, which are taken as they are.

    Their gradients vanish where the model is sure. Leave the softmax out of the model, take
    `target=perdure.LogOdds(label)`, or declare the outputs: `perdure.Adapted(model, outputs="probabilities")`.
    """


class CheckpointWarning(UserWarning):
    """The weights of a checkpoint fit a model only under other names.

    The message shows which; where they were not meant for this model, its accuracy shows it.
    """


class PartialInputWarning(UserWarning):
    """A model reads more of a sample than what is explained.

    The map is right for what it explains; where the rest is to be explained too, let one layer embed it.
    """


class CompletenessWarning(UserWarning):
    """An attribution does not sum to the change of the target within the tolerance that was requested.

    The target jumps on the path; the message gives the gap that is left. The map is still the best that was found.
    """


class BypassWarning(UserWarning):
    """Information bypasses the layer of a bottleneck, so that its map shows a part of what the model reads.

    The message names the layer and the part of the outputs that does not depend on it.
    """


class ConvergenceWarning(UserWarning):
    """A search ended before it reached its goal.

    The message gives the number of samples and a remedy. Their results are the best that were computed.
    """


class CorruptFileWarning(UserWarning):
    """Files of a dataset cannot be read and are left out, as requested.

    The message names them.
    """


class LeftOutWarning(UserWarning):
    """Columns or files of a dataset are left out, because they are no data.

    The message counts and names them: row numbers that a program wrote as a first column, files in class folders that
    are no pictures.
    """


class RenamedWarning(DeprecationWarning):
    """A former name is used: of an entry of a registry, or of an option of the command line.

    It works for one release; the message gives the present name.
    """


_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "cannot allocate memory", "bad_alloc")
"""Words of the allocators of torch and of the system."""


def memory_limit_error(error: BaseException) -> MemoryLimitError | None:
    """Make the named error of a failure to get memory, of Python, numpy, Arrow or torch.

    Args:
        error: Error.

    Returns:
        The named error, to be raised from it; None for another error.

    Example:
        >>> print(memory_limit_error(RuntimeError("DefaultCPUAllocator: can't allocate memory")))
        there is not enough memory: DefaultCPUAllocator: can't allocate memory. Remedy: compute fewer rows in a call ...
        >>> memory_limit_error(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    """
    words = str(error).lower() if isinstance(error, RuntimeError | OSError) else ""
    if not isinstance(error, MemoryError) and not any(phrase in words for phrase in _NO_MEMORY):
        return None
    cause = f"there is not enough memory: {_short(str(error)) or type(error).__name__}{_place(error)}"
    remedy = "compute fewer rows in a call (batch_size, --batch-size), use fewer workers or samples, or free memory"
    return MemoryLimitError(cause, remedy)


@contextmanager
def user_code_errors(error: type[PerdureError], subject: str, remedy: str | Callable[[], str]) -> Iterator[None]:
    """Convert whatever user code raises to a named error with its message and line.

    Args:
        error: the name to give it.
        subject: Noun for the code that runs.
        remedy: Instruction after a failure, or a function that finds it out when there is one.

    Yields:
        Nothing.

    Raises:
        PerdureError: of the given name; an error of perdure passes unchanged.
        MemoryLimitError: When there is not enough memory.

    Example:
        >>> with user_code_errors(PerdureError, "the model", "mend it"):
        ...     raise ValueError("too wide")
        Traceback (most recent call last):
        perdure.core.errors.PerdureError: the model raises ValueError: too wide (line 2 of ...). Remedy: mend it.
    """
    try:
        yield
    except (PerdureError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as raised:  # foreign code may leave by sys.exit too
        if lacks_memory := memory_limit_error(raised):
            raise lacks_memory from raised
        cause = f"{subject} raises {type(raised).__name__}: {_short(str(raised))}{_place(raised)}"
        raise error(cause, remedy if isinstance(remedy, str) else remedy()) from raised


def _short(message: str, most: int = 300) -> str:
    line = " ".join(message.split())
    return line if len(line) <= most else line[:most] + " ..."


def _place(raised: BaseException) -> str:
    """Locate the error: the last line outside perdure and torch, which the user can change."""
    import torch

    if isinstance(raised, SyntaxError) and raised.filename:
        return f" (line {raised.lineno} of {raised.filename})"
    ours = (Path(__file__).parents[1], Path(torch.__file__).parent)
    frames = traceback.extract_tb(raised.__traceback__)[1:]
    theirs = [frame for frame in frames if not any(Path(frame.filename).is_relative_to(folder) for folder in ours)]
    if not theirs:
        return ""
    line = f": {theirs[-1].line}" if theirs[-1].line else ""
    return f" (line {theirs[-1].lineno} of {theirs[-1].filename}{line})"
