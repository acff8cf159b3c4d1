"""The command `perdure`: its commands, its errors and its exit codes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from perdure.cli.audit import audit
from perdure.cli.catalogue import cite, show
from perdure.cli.console import (
    flush,
    guard_terminal,
    name_memory_errors,
    name_write_errors,
    print_line,
    report_defect,
    warn,
)
from perdure.cli.ends import PIPE_CLOSED, catch_signals, describe_signal, drop_output, is_closed_pipe
from perdure.cli.evaluate import evaluate
from perdure.cli.explain import explain
from perdure.cli.path import path
from perdure.cli.remedy import explain_on_command_line
from perdure.cli.report import report
from perdure.cli.reproduce import reproduce
from perdure.cli.status import status
from perdure.cli.study import study
from perdure.cli.train import train
from perdure.cli.view import view
from perdure.core.errors import (
    CheckpointError,
    DependencyError,
    PartError,
    PerdureError,
    RenamedWarning,
    RunFolderError,
)

__all__ = ["app", "exit_code", "main"]

EXIT_CODES = """\
Exit codes: 0 done · 1 an audit that does not meet --require, or a defect of perdure · 2 wrong usage · 3 a name,
setting, model or data that cannot be used · 4 a run folder, part or checkpoint that cannot be used · 5 a missing
package · 130 interrupted, 143 ended by SIGTERM, 129 by SIGHUP (run the same command again to resume) · 141 the reader
of the output has gone."""

INTERRUPTED = 130
"""The exit code after Ctrl-C."""

FORMER_OPTIONS = {"--setting": "--preset", "--changes": "--train-settings", "--explained": "--explain-class"}
"""Former names of options, which work for one release."""


class Command(TyperCommand):
    """A command that also takes its options by their former names, with a warning."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Replace former names before the arguments are parsed."""
        options = {name for parameter in self.params for name in parameter.opts}
        return super().parse_args(ctx, [_replace_former(argument, options) for argument in args])


def _replace_former(argument: str, options: set[str]) -> str:
    name, equals, value = argument.partition("=")
    present = FORMER_OPTIONS.get(name)
    if present is None or present not in options:
        return argument
    warnings.warn(f"the option {name} is now called {present}", RenamedWarning, stacklevel=2)
    return f"{present}{equals}{value}"


app = typer.Typer(
    name="perdure",
    help="Explanations that last: across time steps, down to the input, and from one training run to the next.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command, name in (
    (audit, "audit"),
    (train, "train"),
    (explain, "explain"),
    (evaluate, "evaluate"),
    (report, "report"),
    (view, "view"),
    (status, "status"),
    (reproduce, "reproduce"),
    (path, "path"),
    (study, "study"),
    (show, "list"),
    (cite, "cite"),
):
    app.command(name, cls=Command)(command)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        from importlib.metadata import version

        print_line(f"perdure {version('perdure')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Explanations that last: across time steps, down to the input, and from one training run to the next."""
    del version


def main() -> None:
    """Run the command line; a named error becomes a message and an exit code, never a traceback."""
    with catch_signals():
        _run()


def _run() -> None:
    warnings.showwarning = _make_warning_printer()
    warnings.simplefilter("default", RenamedWarning)  # Python hides deprecations outside __main__
    guard_terminal()
    try:
        with name_write_errors():
            try:
                with name_memory_errors():
                    app()
            finally:
                sys.excepthook = report_defect  # typer sets its own
                flush()
    except PerdureError as error:
        lines = (f"perdure: {error}", explain_on_command_line(error.remedy), *getattr(error, "__notes__", ()))
        warn("\n".join(filter(None, lines)))
        _forget_output()
        sys.exit(exit_code(error))
    except BrokenPipeError:
        _end_closed_pipe()
    except (SystemExit, KeyboardInterrupt) as end:
        if is_closed_pipe(end):
            _end_closed_pipe()
        if isinstance(end, KeyboardInterrupt) or end.code == INTERRUPTED:  # the code of typer, without a message
            code, cause = describe_signal()
            warn(f"perdure: {cause}. What is finished is kept; run the same command again to resume.")
            _forget_output()
            sys.exit(code)
        raise


def _forget_output() -> None:
    try:
        flush()
    except (PerdureError, OSError):
        drop_output()


def _end_closed_pipe() -> NoReturn:
    drop_output()
    sys.exit(PIPE_CLOSED)


def exit_code(error: PerdureError) -> int:
    """Choose the exit code of a named error.

    Args:
        error: Named error.

    Returns:
        5 for a missing package, 4 for a folder, part or checkpoint, 3 for all else.
    """
    if isinstance(error, DependencyError):
        return 5
    return 4 if isinstance(error, RunFolderError | PartError | CheckpointError) else 3


def _make_warning_printer() -> Callable[..., None]:
    """Make a `warnings.showwarning` that prints each message once."""
    printed: set[str] = set()

    def print_warning(message: Warning | str, *_: object, **__: object) -> None:
        if str(message) not in printed:
            printed.add(str(message))
            warn(f"perdure: warning: {message}")

    return print_warning
