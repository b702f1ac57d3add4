"""The command line: one console script, which imports a subcommand only when it is called."""

from __future__ import annotations

import signal
import sys
import threading

if sys.argv[1:2] == ["gateway"] and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
    signal.signal(signal.SIGHUP, lambda *_: None)  # a reload: the gateway reads the file at its start anyway

# As quiet_interrupt does, which would have to be imported for it: Ctrl-C while the following is imported says nothing.
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
        sys.exit(_exit_code())
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing catches KeyboardInterrupt while the interpreter ends


def _exit_code() -> int:
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
    """Return the exit code of a signal whose exception is `error`, or became it; None if no signal came.

    A handler raises in the middle of anything; a condition variable that is waiting then raises RuntimeError.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (click.Abort, KeyboardInterrupt)):
            return 128 + signal.SIGINT
        if isinstance(cause, SystemExit) and isinstance(cause.code, int):
            return cause.code
        cause = cause.__context__
    return None
