"""The command line as a shell would run it, for the tests of its commands."""

from typer.testing import CliRunner

from perdure.cli import main as cli


def run(*arguments, code=0):
    """Run the command line; give its output, or the message of the error that was expected."""
    outcome = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        if not isinstance(outcome.exception, cli.PerdureError):
            raise outcome.exception
        assert cli.exit_code(outcome.exception) == code, outcome.exception
        return str(outcome.exception)
    assert outcome.exit_code == code, outcome.output
    return outcome.stdout
