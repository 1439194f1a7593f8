"""Systems side by side: means over seeds, deviations, relative gains, p-values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.config import changed_settings
from pipelines.reproduce.compact import gains, unpack_numbers
from pipelines.reproduce.significance import paired_p_value

ITEM = "NDCG@10"


@dataclass(frozen=True)
class Column:
    """What is compared: an item metric such as ``NDCG@10``, or an intent's accuracy.

    Attributes:
        name: metric, or intent name.
        intent: whether it is an intent.
    """

    name: str
    intent: bool = False

    def value(self, record: dict[str, Any]) -> float | None:
        """Of a run; None where the system does not predict the intent."""
        if not self.intent:
            return float(record["metrics"][self.name])
        found = record["intents"].get(self.name, {})
        return float(found["accuracy"]) if "accuracy" in found else None

    def per_target(self, record: dict[str, Any]) -> np.ndarray | None:
        """Gain of every target, float [targets]; NaN where a target carries no label of the intent."""
        if not self.intent:
            return gains(unpack_numbers(record["ranks"]), self.name)
        if self.value(record) is None:
            return None
        hits = unpack_numbers(record["intent_hits"][self.name]).astype(float)
        return np.where(hits < 0, np.nan, hits)


class Row:
    """All runs of one system in one setting.

    Args:
        records: one per seed, at least one.

    Raises:
        ValueError: the runs are of different data or, seeds apart, of different configurations.
    """

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.records = sorted(records, key=lambda record: record["seed"])
        self.system: str = records[0]["system"]
        if len({(r["fingerprint"], r["system"], r["targets"]) for r in records}) != 1:
            raise ValueError(f"{self.system}: its runs are of different data; delete those of the earlier preparation")
        first = records[0]["config"]
        for other in (record["config"] for record in records[1:]):
            changed = {*changed_settings(first, other), *changed_settings(other, first)} - {"training.seed"}
            if changed:
                names = ", ".join(sorted(changed)[:4])
                raise ValueError(
                    f"{self.system}: its seeds differ in more than the seed ({names}); run it with --again"
                )

    def mean(self, column: Column) -> float | None:
        """Over seeds; None without a value."""
        values = self._values(column)
        return float(np.mean(values)) if values else None

    def deviation(self, column: Column) -> float | None:
        """Sample standard deviation over seeds; None with fewer than two."""
        values = self._values(column)
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    def gains(self, column: Column) -> np.ndarray | None:
        """Mean over seeds of every target's gain, float [targets]."""
        parts = [column.per_target(record) for record in self.records]
        known = [part for part in parts if part is not None]
        return np.mean(known, axis=0) if known else None

    def _values(self, column: Column) -> list[float]:
        return [value for record in self.records if (value := column.value(record)) is not None]


@dataclass(frozen=True)
class Difference:
    """One system against another in one column: ``relative`` in percent, ``p_value`` of the paired test."""

    relative: float
    p_value: float


def of_same_seeds(system: Row, base: Row) -> tuple[Row, Row]:
    """Both with the seeds alone that both were run with; as they are where no seed is the same."""
    shared = {r["seed"] for r in system.records} & {r["seed"] for r in base.records}
    if not shared or system is base:
        return system, base
    first, second = (Row([r for r in row.records if r["seed"] in shared]) for row in (system, base))
    return first, second


def compare(system: Row, base: Row, column: Column) -> Difference | None:
    """How much better ``system`` is than ``base``, over the seeds that both were run with; None where either lacks the
    column."""
    if system is base:
        return None
    system, base = of_same_seeds(system, base)
    first, second = system.gains(column), base.gains(column)
    if first is None or second is None:
        return None
    counts = unpack_numbers(base.records[0]["targets_per_user"])
    users = np.repeat(np.arange(len(counts)), counts)
    ours, theirs = system.mean(column), base.mean(column)
    assert ours is not None
    assert theirs is not None
    relative = 100 * (ours / theirs - 1) if theirs else (float("inf") if ours else 0.0)
    return Difference(relative, paired_p_value(first, second, users))
