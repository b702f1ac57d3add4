"""Runs a campaign of measurements in a terminal, with a bar that shows its progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shared.errors import DeepThingsError
from shared.process.lifecycle import run_service, run_together

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path

    from rich.console import Console


def run_campaign(
    run: Callable[[Callable[[int, str], None]], Coroutine[Any, Any, None]], total: int, folder: Path, console: Console
) -> None:
    """Run a campaign of `total` measurements, whose results are kept in `folder`.

    `run` gets a function, to be called with the number of finished measurements and a text about the present one.
    Raises DeepThingsError if a signal stops the campaign.
    """
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=total)

        def report(number: int, text: str) -> None:
            progress.update(task, completed=number, description=text)

        async def measure(stop: asyncio.Event) -> None:
            await run_together(run(report), stop.wait())
            if stop.is_set():
                raise DeepThingsError(f"stopped; the results so far are kept in {folder}")

        run_service(measure)
        progress.update(task, completed=total, description="measured")


def print_failures(failures: Mapping[str, str], console: Console) -> None:
    """Print why measurements are missing, by their names."""
    for name, reason in failures.items():
        print_line(f"Not measured: {name}: {reason}", console)


def print_line(line: str, console: Console) -> None:
    """Print a line as it is: not wrapped, and not interpreted as markup."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)
