"""Factory: your own model, made by a function in a file or a package."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import torch
from torch import nn

from perdure.core.check import check_choice
from perdure.core.errors import FactoryError, SettingError, user_code_errors
from perdure.core.outputs import Outputs
from perdure.core.random import global_stream, stream
from perdure.models._adapted import adapt
from perdure.models._outputs import declare

__all__ = ["Factory", "is_factory", "own_random_state"]

KNOWN = ("features", "classes", "generator", "seed")
"""Arguments that a factory may have."""


@dataclass(frozen=True)
class Factory:
    """Your own model, made by a function in a file or a package.

    The function is called as `make()`, or with those of `features`, `classes`, `generator` and `seed` that it names.
    While it runs, the global random state of torch is set by a seed from the generator of `build`, and restored
    afterwards: the initial weights of layers follow from the seed of a run. The model is called as `Adapted` calls
    it, unless it has one of the protocols itself.

    Args:
        source: Name of the function, "file.py:function" or "package.module:function"; the folder of the file, or the
            working folder, is appended to the path of imports.
        outputs: Kind of outputs, as in `Adapted`; None detects it.

    Raises:
        SettingError: When the source names no function, or the kind of outputs is unknown.

    Reference:
        perdure
    """

    source: str
    outputs: Outputs | None = None

    def __post_init__(self) -> None:
        place, _, name = self.source.rpartition(":")
        check_choice("outputs", self.outputs, (None, *get_args(Outputs)))
        if not place or not name.isidentifier():
            raise SettingError(f"'{self.source}' names no factory", "write file.py:function or package.module:function")

    def build(self, features: int, classes: int, generator: torch.Generator) -> nn.Module:
        """Call the function; the global random state is not changed.

        Args:
            features: Number of features of a step, channels of an image, or words of a vocabulary.
            classes: Number of outputs.
            generator: Stream of the weights; the model is moved to its device.

        Returns:
            A new model in training mode.

        Raises:
            FactoryError: When the function cannot be found, raises, or returns no model.
        """
        with own_random_state(stream(0, "import")):
            make = self._import()
        with own_random_state(generator) as seed:
            values = {"features": features, "classes": classes, "generator": generator, "seed": seed}
            arguments = {name: values[name] for name in self._argument_names(make)}
            with user_code_errors(
                FactoryError, f"the factory '{self.source}'", "mend it, and run the same command again"
            ):
                model = make(**arguments)
        if not isinstance(model, nn.Module):
            raise FactoryError(
                f"the factory '{self.source}' returns {type(model).__name__}", "let it return a torch.nn.Module"
            )
        return declare(adapt(model), self.outputs).to(generator.device).train()

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments of `build` that the function takes; its module is imported.

        Raises:
            FactoryError: If the function cannot be found or needs other arguments.
        """
        with own_random_state(stream(0, "import")):
            return tuple(self._argument_names(self._import()))

    @property
    def code(self) -> str:
        """Sixteen digits of the hash of the file, so that a run can check whether it has changed.

        Raises:
            FactoryError: When there is no such file.
        """
        return sha256(self._file().read_bytes()).hexdigest()[:16]

    def _file(self) -> Path:
        place = self.source.rpartition(":")[0]
        file: Path | None = Path(place).expanduser()
        if not place.endswith(".py"):
            _let_import(Path.cwd())
            with user_code_errors(
                FactoryError, f"the package of '{self.source}'", "mend it, or name a file: file.py:function"
            ):
                spec = find_spec(place)
            file = Path(spec.origin) if spec and spec.origin else None
        if file is None or not file.is_file():
            raise FactoryError(
                f"there is no {'file' if place.endswith('.py') else 'module'} '{place}'",
                "give file.py:function, or package.module:function of an installed package or the working folder",
            )
        return file

    def _import(self) -> Callable[..., Any]:
        place, _, name = self.source.rpartition(":")
        file = self._file().resolve()
        module = place
        if place.endswith(".py"):
            _let_import(file.parent)
            module = file.stem
        with user_code_errors(FactoryError, f"importing '{place}'", "mend the file; it must import without arguments"):
            imported = import_module(module)
        if Path(imported.__file__ or "").resolve() != file:
            raise FactoryError(
                f"the name of '{place}' is taken: Python has another module '{module}'", "rename the file"
            )
        function = getattr(imported, name, None)
        if not callable(function) or isinstance(function, nn.Module):
            kind = "nothing" if function is None else f"a {type(function).__name__}, no function,"
            raise FactoryError(
                f"'{place}' holds {kind} called '{name}'", f"write there: def {name}(features, classes): return Model()"
            )
        make: Callable[..., Any] = function
        return make

    def _argument_names(self, make: Callable[..., Any]) -> list[str]:
        """List the arguments to pass to a function.

        Raises:
            FactoryError: When it requires others.
        """
        parameters = inspect.signature(make).parameters.values()
        fixed = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        unknown = [p.name for p in fixed if p.default is p.empty and p.name not in KNOWN]
        if unknown:
            raise FactoryError(
                f"the factory '{self.source}' requires {', '.join(unknown)}",
                f"give {unknown[0]} a default; a factory may take {', '.join(KNOWN)}",
            )
        return [p.name for p in fixed if p.name in KNOWN]


def is_factory(text: str) -> bool:
    """Return whether a text names a factory, and not a model with settings.

    Args:
        text: Text, as on the command line.

    Returns:
        True for "file.py:function" and for a function of a module that can be found.

    Example:
        >>> is_factory("own.py:make"), is_factory("lstm:hidden_size=5"), is_factory("lstm")
        (True, False, False)
    """
    place, _, name = text.rpartition(":")
    return name.isidentifier() and (place.endswith(".py") or "." in place)


def _let_import(folder: Path) -> None:
    """Append a folder to the path of imports, which worker processes inherit."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


@contextmanager
def own_random_state(generator: torch.Generator) -> Iterator[int]:
    """Set the global random state of torch, which layers draw from, by a seed from a generator.

    Args:
        generator: Stream that the seed is drawn from.

    Yields:
        The seed; afterwards the global state is restored.
    """
    seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    with global_stream(stream(seed, "factory"), generator.device):
        yield seed
