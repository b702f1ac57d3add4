"""The command line: one console script, which imports a subcommand only when it is called."""

from __future__ import annotations

import signal
import sys
import threading

if sys.argv[1:2] == ["gateway"] and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
    # SIGHUP asks for a reload of the configuration. A gateway that is starting reads it anyway, and must not end.
    signal.signal(signal.SIGHUP, lambda *_: None)

# Ctrl-C during the following imports ends the process without a traceback. quiet_interrupt does the same for later
# imports, but would have to be imported itself.
_interrupt = signal.getsignal(signal.SIGINT)
_guarded = _interrupt is signal.default_int_handler and threading.current_thread() is threading.main_thread()
if _guarded:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    import os

    import click

    from shared.cli.command_group import cli
    from shared.errors import DeepThingsError
    from shared.reasons.system_reasons import system_reason
finally:
    if _guarded:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> None:
    """Run the console script. Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 128 + n ended by signal n."""
    try:
        sys.exit(_run_command())
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing catches KeyboardInterrupt while the interpreter ends


def _run_command() -> int:
    """Run the subcommand, print its error if it fails, and return the exit code."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except DeepThingsError as error:
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output has ended, for example 'head'
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  (or the interpreter complains at its end)
        return 1
    except OSError as error:
        place = f"{error.filename}: " if isinstance(error.filename, str) else ""
        click.echo(f"Error: {place}{system_reason(error)}", err=True)
        return 1
    except (Exception, KeyboardInterrupt) as error:
        code = _signal_exit_code(error)
        if code is None:
            raise
        return code
    return 0


def _signal_exit_code(error: BaseException) -> int | None:
    """Return the exit code for the signal that caused `error`, directly or in its context; None if no signal did.

    A signal handler raises its exception wherever the program happens to be. The interrupted code may replace it by
    another one: a condition variable that was waiting raises RuntimeError.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (click.Abort, KeyboardInterrupt)):
            return 128 + signal.SIGINT
        if isinstance(cause, SystemExit) and isinstance(cause.code, int):
            return cause.code
        cause = cause.__context__
    return None
