"""Measures the chosen rows, group by group, and saves the results after each step."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.campaign import RESULTS_FILE, describe_machine
from benchmarks.scale.scale_rows import OTHERS_CORES, PREDICTIONS, SCALE_ROWS, ScaleResult, predictions_result
from shared.errors import ConfigurationError, DeepThingsError
from shared.files.unfinished import remove_abandoned
from shared.files.whole_file import write_whole
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.scale.bench_group import BenchGroup, ScaleScope


DISTURBING_CORES = 0.2
"""With other programs that use more cores, figures are uncertain.

All emulated devices together may use 1.6 cores. On a machine with two, other programs may use some of the rest.
"""


@dataclass(slots=True)
class ScaleCampaign:
    """Results by row; an interrupted campaign continues where it stopped.

    `failures`: why rows have no result, by row; `seconds`: the duration of each group when it was measured last;
    `unavailable`: why devices cannot be emulated, empty if they can.
    """

    scope: ScaleScope
    machine: dict[str, Any] = field(default_factory=describe_machine)
    results: dict[str, ScaleResult] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    unavailable: str = ""

    @classmethod
    def open(cls, scope: ScaleScope) -> ScaleCampaign:
        """Load the results in the folder, if any. Raises ConfigurationError if they have another scope or format."""
        scope.folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(scope.folder)
        campaign = cls(scope)
        path = scope.folder / RESULTS_FILE
        if not path.exists():
            return campaign
        try:
            document = json.loads(path.read_text())
            kept = document["scope"]
            results = [ScaleResult.from_json(row) for row in document["rows"]]
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be read: {system_reason(error)}; name another with --out"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{path} does not contain rows of this release; remove it, or write to another folder with --out"
            ) from error
        if kept != campaign._described_scope():
            raise ConfigurationError(
                f"{scope.folder} contains rows measured with other options (--quick, --method); "
                "write to another folder with --out"
            )
        campaign.results = {result.row: result for result in results}
        campaign.seconds = document.get("seconds", {})
        return campaign

    @property
    def ordered(self) -> list[ScaleResult]:
        """Return the results in the order of the table."""
        return [self.results[row] for row in SCALE_ROWS if row in self.results]

    @property
    def disturbance(self) -> str:
        """Return a sentence about other programs that disturbed the measurements; empty if none did."""
        most = max((result.figures.get(OTHERS_CORES, 0.0) for result in self.results.values()), default=0.0)
        if most < DISTURBING_CORES:
            return ""
        return f"Other programs of this machine used up to {most:.1f} cores meanwhile: the figures are uncertain."

    async def run(self, groups: Sequence[BenchGroup], rows: Sequence[str], report: Callable[[int, str], None]) -> None:
        """Measure the rows that have no result yet.

        `report` is called with the number of finished rows and a text about what is measured now. If a row fails, or
        this machine cannot measure it, the reason is put into `failures`.
        """
        wanted = set(rows) - self.results.keys()
        for group in groups:
            missing = wanted.intersection(group.rows)
            if missing and group.emulated and self.unavailable:
                self._fail(missing, f"it needs emulated devices: {self.unavailable}")
            elif missing:
                report(len(self.results), group.name)
                begun = time.monotonic()
                try:
                    await self._run_group(group, missing, report)
                except DeepThingsError as error:
                    self._fail(missing, str(error))
                self.seconds[group.name] = round(time.monotonic() - begun, 1)
                self.save()
        if PREDICTIONS in rows:
            predicted = predictions_result(result for result in self.ordered if result.row != PREDICTIONS)
            if predicted is None:
                self._fail({PREDICTIONS}, "no row with plans of divided frames was measured")
            else:
                self.results[PREDICTIONS] = predicted
            self.save()

    async def _run_group(self, group: BenchGroup, missing: set[str], report: Callable[[int, str], None]) -> None:
        async with group.open(self.scope) as bench:
            for rows, step in group.steps:
                chosen = missing.intersection(rows) - self.failures.keys()
                if not chosen:
                    continue
                report(len(self.results), f"{group.name}: {', '.join(sorted(chosen))}")
                try:
                    found = await step(bench)
                except DeepThingsError as error:
                    self._fail(chosen, str(error))
                    continue
                self.results |= {result.row: result for result in found if result.row in missing}
                self.save()

    def _fail(self, rows: set[str], reason: str) -> None:
        self.failures |= {row: reason for row in rows if row not in self.results}

    def save(self) -> None:
        """Write all results to the folder."""
        rows = [result.to_json() for result in self.ordered]
        document = {"machine": self.machine, "scope": self._described_scope(), "seconds": self.seconds, "rows": rows}
        path = self.scope.folder / RESULTS_FILE
        write_whole(path, json.dumps(document, indent=1).encode(), durable=False, mode=None)

    def _described_scope(self) -> dict[str, Any]:
        return {"quick": self.scope.quick, "method": self.scope.method}
