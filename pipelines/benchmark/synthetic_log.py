"""Tables of any length on disk, for measuring growth; who they look like does not matter to the clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet
import yaml

from pipelines.datasets.registry import packaged_schema
from pipelines.datasets.simulation.config import DAY, START
from pipelines.progress import track

ROWS = 1_000_000
EVENTS_PER_USER = 100
ITEMS = 20_000
DAYS = 90
ACTIONS = ("browse", "play", "resume", "trailer")
GENRES = tuple(f"genre {number}" for number in range(20))


def write_log(folder: Path, events: int, seed: int = 0) -> list[str]:
    """Write ``events.parquet`` in the order of time, ``items.parquet`` and ``schema.yaml`` (the simulated service's).

    Users grow with the log, and a few are much more active than most; the catalogue does not, and its popularity
    falls as 1 / rank.

    Args:
        folder: a new one.
        events: how many.
        seed: equal ones give equal files.

    Returns:
        Arguments of ``intentrec prepare``, without ``--out``.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    users = max(1, events // EVENTS_PER_USER)
    place = folder / "events.parquet"
    writer: pyarrow.parquet.ParquetWriter | None = None
    pieces = -(-events // ROWS)
    for piece in track(range(pieces), "simulating events", pieces):
        first, last = piece * ROWS, min(events, (piece + 1) * ROWS)
        moments = START + (np.arange(first, last) * (DAYS * DAY / events)).astype(np.int64)
        table = pyarrow.table(
            {
                "user_id": _names("u", (users * rng.random(last - first) ** 2).astype(np.int64)),
                "item_id": _names("t", (ITEMS ** rng.random(last - first)).astype(np.int64)),
                "timestamp": moments,
                "action_type": np.array(ACTIONS, object)[rng.integers(0, len(ACTIONS), last - first)],
                "source_interest": np.array(["", *GENRES], object)[rng.integers(0, len(GENRES) + 1, last - first)],
                "duration": np.round(rng.exponential(900, last - first)),
            }
        )
        writer = writer or pyarrow.parquet.ParquetWriter(place, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    schema = packaged_schema("simulated")
    items = {
        "item_id": _names("t", np.arange(1, ITEMS)),
        "title": _names("title ", np.arange(1, ITEMS)),
        "genres": ["|".join(rng.choice(GENRES, 2, replace=False)) for _ in range(1, ITEMS)],
        "type": np.array(["film", "show"], object)[rng.integers(0, 2, ITEMS - 1)],
        "released": START - rng.integers(-DAYS, 1_000, ITEMS - 1).astype(float) * DAY,
    }
    pyarrow.parquet.write_table(pyarrow.table(items), folder / "items.parquet")
    (folder / "schema.yaml").write_text(yaml.safe_dump(schema.to_dict()), encoding="utf-8")
    files = {"events": "events.parquet", "items": "items.parquet", "schema": "schema.yaml"}
    return ["tables", *(word for name, file in files.items() for word in (f"--{name}", str(folder / file)))]


def _names(word: str, numbers: np.ndarray) -> pyarrow.Array:
    """``word`` followed by each number."""
    digits = pyarrow.array(numbers).cast(pyarrow.string())
    return pyarrow.compute.binary_join_element_wise(word, digits, "")
