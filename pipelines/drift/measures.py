"""What is compared, one dictionary each, and the verdict on it.

A measure has ``name``, ``group`` (``unknown``, ``intent``, ``feature``, ``number`` or ``score``), ``statistic``
(``rise``, ``psi`` or ``ks``), ``value`` (None if a sample is empty), ``by_chance`` (what chance alone exceeds once in
100, or None), ``samples`` {``training``, ``new``: sizes} and ``detail``; :func:`judged` adds ``limit`` and ``verdict``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.drift.statistics import ks, ks_by_chance, psi, psi_by_chance, rise_by_chance

Measure = dict[str, Any]
LIMITS = {"rise": 0.05, "psi": 0.25, "ks": 0.2}
WATCH = {"rise": 0.01, "psi": 0.1, "ks": 0.125}
MIN_SAMPLE, MIN_DAYS = 100, 7
DRIFT, MOVED, STEADY, TOO_FEW, LEFT_OUT = "drift", "moved", "steady", "too few", "left out"
PERCENTS = list(range(0, 101, 5))
LABELS = 20
OTHER, NONE = "(other labels)", "(none)"


def rise(name: str, training: tuple[int, int], new: tuple[int, int]) -> Measure:
    """By how much a share is larger than in training.

    Args:
        name: of what is counted.
        training, new: how many of how many.
    """
    shares = {"training": _share(*training), "new": _share(*new)}
    both = training[1] and new[1]
    value = new[0] / new[1] - training[0] / training[1] if both else None
    chance = rise_by_chance(training, new) if both else None
    return _measure(name, "unknown", "rise", value, chance, training[1], new[1], shares)


def mix(name: str, group: str, labels: list[str], training: np.ndarray, new: np.ndarray) -> Measure:
    """PSI of labels' shares.

    Args:
        name: of what has the labels.
        group: of the measure.
        labels: one a count.
        training, new: counts, [labels]; what neither has is left out, and what is beyond the :data:`LABELS` most
            frequent of training is counted together.
    """
    training, new = np.asarray(training, np.int64), np.asarray(new, np.int64)
    labels, training, new = _folded(labels, training, new)
    sizes = int(training.sum()), int(new.sum())
    value = psi(training, new) if all(sizes) else None
    chance = psi_by_chance(len(labels), *sizes) if all(sizes) else None
    detail = {
        "labels": labels,
        "training": [_share(n, sizes[0]) for n in training.tolist()],
        "new": [_share(n, sizes[1]) for n in new.tolist()],
    }
    return _measure(name, group, "psi", value, chance, *sizes, detail)


def numbers(name: str, group: str, training: np.ndarray, new: np.ndarray, unit: str = "") -> Measure:
    """KS of numbers, with quantiles.

    Args:
        name: of the number.
        group: of the measure.
        training, new: values; NaN is unknown and left out.
        unit: ``seconds`` or empty.
    """
    training, new = (np.asarray(values, float) for values in (training, new))
    training, new = training[np.isfinite(training)], new[np.isfinite(new)]
    sizes = len(training), len(new)
    value = ks(training, new) if all(sizes) else None
    chance = ks_by_chance(*sizes) if all(sizes) else None
    quantiles = {
        part: np.percentile(values, PERCENTS).tolist() if len(values) else None
        for part, values in (("training", training), ("new", new))
    }
    return _measure(name, group, "ks", value, chance, *sizes, {"unit": unit, "percents": PERCENTS, **quantiles})


def judged(measure: Measure, limits: dict[str, float], min_sample: int, left_out: bool) -> Measure:
    """The measure with ``limit`` and ``verdict``.

    ``drift``: above its limit and above what chance alone gives; ``moved``: likewise for the lower level :data:`WATCH`;
    ``steady``: neither; ``too few``: not enough to say; ``left out``: the caller does not want to know.

    Args:
        measure: of :func:`rise`, :func:`mix` or :func:`numbers`.
        limits: statistic -> largest value that is no drift.
        min_sample: smallest sample of either side that is judged.
        left_out: whether it shall not count.
    """
    limit, value, chance = limits[measure["statistic"]], measure["value"], measure["by_chance"] or 0.0
    if left_out:
        verdict = LEFT_OUT
    elif value is None or min(measure["samples"].values()) < measure.get("min_sample", min_sample):
        verdict = TOO_FEW
    elif value > max(limit, chance):
        verdict = DRIFT
    elif value > max(WATCH[measure["statistic"]], chance):
        verdict = MOVED
    else:
        verdict = STEADY
    return {**measure, "limit": limit, "verdict": verdict}


def largest_change(measure: Measure) -> tuple[str, float, float] | None:
    """The label whose share changed most, with both shares; of numbers ``median`` and both medians."""
    detail = measure["detail"]
    if measure["value"] is None:
        return None
    if measure["statistic"] == "rise":
        return "", detail["training"], detail["new"]
    if measure["statistic"] == "ks":
        middle = PERCENTS.index(50)
        return "median", detail["training"][middle], detail["new"][middle]
    i = int(np.argmax(np.abs(np.subtract(detail["training"], detail["new"]))))
    return detail["labels"][i], detail["training"][i], detail["new"][i]


def _measure(
    name: str,
    group: str,
    statistic: str,
    value: float | None,
    by_chance: float | None,
    training: int,
    new: int,
    detail: dict[str, Any],
) -> Measure:
    samples = {"training": int(training), "new": int(new)}
    found = {"name": name, "group": group, "statistic": statistic, "value": value, "by_chance": by_chance}
    return {**found, "samples": samples, "detail": detail}


def _folded(labels: list[str], training: np.ndarray, new: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Without labels that do not occur; the rare ones as one."""
    present: list[int] = np.flatnonzero(training + new).tolist()
    kept = [i for i in present if labels[i] != NONE]
    none = [i for i in present if labels[i] == NONE]
    rare: list[int] = []
    if len(kept) > LABELS:
        frequent = set(sorted(kept, key=lambda i: -training[i])[: LABELS - 1])
        kept, rare = [i for i in kept if i in frequent], [i for i in kept if i not in frequent]
    names = [labels[i] for i in kept] + [OTHER] * bool(rare) + [labels[i] for i in none]

    def counts(values: np.ndarray) -> np.ndarray:
        return np.r_[values[kept], [values[rare].sum()] * bool(rare), values[none]].astype(np.int64)

    return names, counts(training), counts(new)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
