"""Compare a new log with what a run was trained on; write the report."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from pipelines.drift.log_measures import log_measures
from pipelines.drift.measures import DRIFT, LIMITS, MIN_SAMPLE, WATCH, judged
from pipelines.drift.new_log import NewLog
from pipelines.environment import provenance
from pipelines.look.numbers import plain
from pipelines.look.size import DATED_FROM
from pipelines.look.words import counted
from pipelines.prepared import MANIFEST, PreparedData
from pipelines.split import TRAIN
from pipelines.validate import DataError
from serving.atomic import atomic_files

if TYPE_CHECKING:
    from pipelines.drift.score_measures import ScoreMeasures

NUMBERS, PAGE = "drift.json", "README.md"
PICTURES = ("overview", "mixes", "numbers")


def measure(
    prepared: PreparedData,
    log: NewLog,
    name: str,
    scores: ScoreMeasures | None = None,
    limits: dict[str, float] | None = None,
    min_sample: int = MIN_SAMPLE,
    ignore: Iterable[str] = (),
) -> dict[str, Any]:
    """All numbers of a comparison, JSON ready.

    Args:
        prepared: the run's data.
        log: the new log.
        name: of its file, for people.
        scores: what the run's model says, if it was asked.
        limits: largest value of each statistic that is no drift, over :data:`LIMITS`.
        min_sample: new events needed to say anything, and smallest sample of a measure that is judged.
        ignore: measures that shall not count.

    Raises:
        DataError: too few new events, or an unknown measure is to be ignored.
    """
    new = int(log.new.sum())
    if new < max(1, min_sample):
        known = f" ({log.repeated:,} more are in the run's data already)" if log.repeated else ""
        raise DataError(
            f"{name}: holds {counted(new, 'new event')}{known}, too few to compare; name a log with at least "
            f"{max(1, min_sample):,} or lower --min-sample."
        )
    found = [*log_measures(prepared, log), *(scores.measures if scores else [])]
    names, ignored = [one["name"] for one in found], set(ignore)
    for word in sorted(ignored - set(names)):
        raise DataError(f"--ignore {word}: is no measure; choose from: {', '.join(names)}.")
    chosen = LIMITS | (limits or {})
    measures = [judged(one, chosen, min_sample, one["name"] in ignored) for one in found]
    return plain(
        {
            "dataset": prepared.schema.name,
            "fingerprint": prepared.fingerprint,
            "drift": any(one["verdict"] == DRIFT for one in measures),
            "limits": chosen,
            "watch": WATCH,
            "min_sample": min_sample,
            "training": _side(prepared.events[prepared.events["split"] == TRAIN]),
            "new": {"log": PurePath(name).name, **_new_side(prepared, log)},
            "hit_rate": scores.hit_rate if scores else None,
            "measures": measures,
            **provenance(),
        }
    )


def write(numbers: dict[str, Any], out: Path) -> None:
    """Write ``README.md``, pictures and ``drift.json`` into a folder; what an earlier report left is replaced."""
    from pipelines.drawing import save
    from pipelines.drift.page import page
    from pipelines.drift.pictures import figures

    drawn = figures(numbers)
    with atomic_files(out, PAGE, (NUMBERS, *(f"{name}.png" for name in PICTURES))) as work:
        for name in drawn:
            save(drawn[name], work / f"{name}.png")
        (work / NUMBERS).write_text(as_json(numbers), encoding="utf-8")
        (work / PAGE).write_text(page(numbers), encoding="utf-8")


def as_json(numbers: dict[str, Any]) -> str:
    """The numbers as JSON text."""
    return json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def check_out(out: Path) -> None:
    """Refuse to write over somebody's README.md or into prepared data or a run.

    Raises:
        DataError: the folder holds something else.
    """
    for name in (MANIFEST, "run.json"):
        if (out / name).exists():
            raise DataError(f"{out}: holds {name}; name another folder with --out.")
    if (out / PAGE).exists() and not (out / NUMBERS).exists():
        raise DataError(f"{out}: holds a {PAGE} that no drift report wrote; name a new or empty folder with --out.")


def _side(events: Any) -> dict[str, Any]:
    first, last = int(events["timestamp"].min()), int(events["timestamp"].max())
    return {
        "events": len(events),
        "users": int(events["user_id"].nunique()),
        "items": int(events["item_id"].nunique()),
        "first": first,
        "last": last,
        "dated": first >= DATED_FROM,
    }


def _new_side(prepared: PreparedData, log: NewLog) -> dict[str, Any]:
    events = log.events[log.new]
    users = events["user_id"].drop_duplicates()
    return {
        **_side(events),
        "users_known": int(users.isin(prepared.events["user_id"]).sum()),
        "events_without_catalogue_entry": int((~events["item_id"].isin(log.items["item_id"])).sum()),
        "events_left_out_as_known": log.repeated,
        "rows_rejected": sum(log.report.rejected.values()),
        "reasons": log.report.counts,
    }
