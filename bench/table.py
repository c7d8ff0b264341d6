"""The table: medians and ranges beside each other, how many times better Lightbox is, and on what machine."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.trials import Measure


class Table:
    """What was measured, in the order it was measured first. The first server is compared with the second."""

    def __init__(self, servers: list[str], *said: str) -> None:
        """Keep the names of the servers, and what stands above the table."""
        self._servers, self._said = servers, said
        self._values: dict[Measure, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def note(self, server: str, measure: Measure, value: float) -> None:
        """Keep one value."""
        self._values[measure][server].append(value)

    def __str__(self) -> str:
        """Markdown: the median of each measure [and its range]; above 1× Lightbox is better."""
        head = ["", "unit", *self._servers, *["ratio"] * (len(self._servers) - 1)]
        rows = [head, ["---", "---", *["---:"] * (len(head) - 2)], *map(self._row, self._values)]
        return "\n\n".join([*self._said, "\n".join(f"| {' | '.join(row)} |" for row in rows)]) + "\n"

    def _row(self, measure: Measure) -> list[str]:
        columns = [self._values[measure][server] for server in self._servers]
        return [measure.name, measure.unit, *map(_cell, columns), *[_ratio(measure, *columns) for _ in columns[1:]]]


def _cell(values: list[float]) -> str:
    if not values:
        return "–"
    if len(values) == 1:
        return _short(values[0])
    return f"{_short(median(values))} [{_short(min(values))}–{_short(max(values))}]"


def _ratio(measure: Measure, ours: list[float], theirs: list[float]) -> str:
    if not ours or not theirs:
        return "–"
    better, worse = (ours, theirs) if measure.more_is_better else (theirs, ours)
    return f"{median(better) / median(worse):.2g}×" if median(worse) else "–"


def _short(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def machine() -> str:
    """The day, the machine, and how busy it is now."""
    cores = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d} · {len(cores)} × {cores[0].partition(': ')[2]}, {memory:.0f} GiB,"
        f" Python {platform.python_version()} · load before: {os.getloadavg()[0]:.1f}"
    )
