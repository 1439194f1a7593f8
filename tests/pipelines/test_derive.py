"""Intent labels: worked out by hand, and never dependent on what happens later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from intentrec_tf.schema import Schema
from pipelines.derive import label_events, learn_intents, popularity, previous_gap
from pipelines.partitions import POPULARITY, MemoryPartitions

HOUR, DAY = 3_600, 86_400
T = 1_700_000_000
GENRES = {"name": "genres", "kind": "multi_label"}
ACTION = {"name": "action", "kind": "categorical"}
SECONDS = {"name": "seconds", "kind": "numeric"}
INTENTS: dict[str, dict[str, Any]] = {
    "action": {"derive": "column", "column": "action"},
    "repeat": {"derive": "repeat", "resume_gap": "1d"},
    "novelty": {"derive": "category_novelty", "feature": "genres"},
    "phase": {"derive": "session_phase", "gap": "30m"},
    "age": {"derive": "age_bucket", "release": "released", "edges": ["1d", "1w"], "labels": ["day", "week", "old"]},
    "length": {"derive": "rank_bucket", "column": "seconds", "labels": ["short", "long"]},
    "popular": {"derive": "rank_bucket", "column": "popularity"},
}
ITEMS = pd.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "genres": ["red|new", "red", "", "old"],
        "released": [T - DAY, T + HOUR, np.nan, T - 8 * DAY],
    }
)


def schema(*names: str) -> Schema:
    intents = [{"name": name, **INTENTS[name]} for name in names]
    return Schema.parse(
        {"name": "s", "event_features": [ACTION, SECONDS], "item_features": [GENRES], "intents": intents}
    )


def log(*rows: tuple[str, str, int, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp", "action", "seconds"])


EVENTS = log(
    ("u", "a", T, "play", 1.0),
    ("u", "b", T + 1_800, "skip", 2.0),
    ("u", "a", T + 1_801, "play", 3.0),
    ("u", "d", T + DAY, "", 4.0),
    ("u", "a", T + 2 * DAY, "new", 5.0),
    ("v", "c", T + DAY, "play", 6.0),
    ("v", "b", T + DAY, "skip", 7.0),
    ("v", "a", T + DAY + 1_801, "skip", 8.0),
)
TRAINING = np.array([1, 1, 1, 1, 0, 1, 1, 0], bool)


class Mask:
    """The training events, said outright."""

    columns: tuple[str, ...] = ()

    def __init__(self, training: np.ndarray) -> None:
        self.training = training

    def __call__(self, events: pd.DataFrame) -> np.ndarray:
        return np.where(self.training, 0, 2).astype(np.int8)


def derive(
    events: pd.DataFrame, training: np.ndarray, *names: str
) -> tuple[dict[str, tuple[str, ...]], dict[str, np.ndarray]]:
    events = events.assign(**{POPULARITY: popularity(events)})
    seen = {"action": events["action"][training]}
    rules = learn_intents(MemoryPartitions(events), schema(*names), Mask(training), seen)
    return rules.labels, label_events(events, ITEMS.set_index("item_id"), schema(*names), rules)


def derived(name: str, events: pd.DataFrame = EVENTS, training: np.ndarray = TRAINING) -> tuple[tuple, list[int]]:
    labels, columns = derive(events, training, name)
    assert columns[name].dtype.kind == "i"
    return labels[name], columns[name].tolist()


def test_column_labels_come_from_training_and_other_values_are_unlabelled():
    # "new" occurs outside training only, "" is no label at all; both are -1.
    assert derived("action") == (("play", "skip"), [0, 1, 0, -1, -1, 0, 1, 1])


def test_repeat():
    # u: a first (0), b first (0), a after 1801 s (1), d first (0), a after almost two days (2); v met none of hers.
    assert derived("repeat") == (("discover", "continue", "return"), [0, 0, 1, 0, 2, 0, 0, 0])


@pytest.mark.parametrize(("gap", "label"), [(0, 1), (DAY, 1), (DAY + 1, 2)])
def test_repeat_at_the_edge_of_the_gap(gap: int, label: int):
    events = log(("u", "a", T, "play", 1.0), ("u", "a", T + gap, "play", 1.0))
    assert derived("repeat", events, np.ones(2, bool))[1] == [0, label]


def test_category_novelty():
    # u: a brings red and new (1); b brings red, known (0); a known (0); d brings old (1); a known (0).
    # v: c has no genre (-1); b brings red (1); a brings new beside the known red (1).
    assert derived("novelty") == (("known", "new"), [1, 0, 0, 1, 0, -1, 1, 1])


def test_session_phase():
    # u: first (0), 1800 s later is not more than 30 minutes (1), 1 s (1), a day (0), a day (0);
    # v: first (0), same second (1), 1801 s (0).
    assert derived("phase") == (("start", "continue"), [0, 1, 1, 0, 0, 0, 1, 0])


def test_age_bucket():
    # a is one day old at T: the edge belongs to the older bucket (1); b comes out an hour after T, so before its
    # release (0) and later within a day (0); d is 9 days old (2); a 3 days old (1); c has no release (-1).
    assert derived("age") == (("day", "week", "old"), [1, 0, 1, 2, 1, -1, 0, 1])


def test_rank_bucket_of_a_column_uses_the_training_median():
    # Training seconds 1, 2, 3, 4, 6, 7: median 3.5; without the mask it would be 4.5 and event 4 "short".
    assert derived("length") == (("short", "long"), [0, 0, 0, 1, 1, 1, 1, 1])


def test_rank_bucket_of_popularity_counts_earlier_events_of_everybody():
    # In time: u a 0, u b 0, u a 1, u d 0, v c 0, v b 1, v a 2, u a 3.  In training: 0 0 1 0 0 1, whose terciles
    # are 0 and 1/3: 0 lies at the first edge (middle), more than 1/3 is high.
    assert derived("popular") == (("low", "middle", "high"), [1, 1, 2, 1, 2, 1, 2, 2])


def test_previous_gap_is_nan_at_a_groups_first_event():
    np.testing.assert_array_equal(previous_gap(EVENTS, ["user_id"])[[0, 1, 5, 6]], [np.nan, 1_800, np.nan, 0])


def random_log(rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        (
            f"u{rng.integers(4)}",
            str(rng.choice(list("abcd"))),
            T + int(rng.integers(0, 10)) * 1_000,
            str(rng.choice(["play", "skip", ""])),
            float(rng.integers(0, 5)),
        )
        for _ in range(rng.integers(20, 60))
    ]
    return log(*sorted(rows, key=lambda row: (row[0], row[2])))


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("change", ["other items", "other users", "removed"])
def test_later_events_never_change_an_earlier_label(seed: int, change: str):
    """Label sets and quantiles are learnt from training, so the training part ends before the change."""
    rng = np.random.default_rng(seed)
    events = random_log(rng)
    cut = T + int(rng.integers(2, 9)) * 1_000
    early = (events["timestamp"] < cut).to_numpy()
    assert early.any()
    changed = events.copy()
    if change == "other items":
        changed.loc[~early, "item_id"] = rng.choice(list("abcd"), (~early).sum())
        changed.loc[~early, ["action", "seconds"]] = ["skip", 99.0]
        changed.loc[~early, "timestamp"] += 7
    elif change == "other users":  # moving whole rows keeps the order of the early ones
        changed.loc[~early, "user_id"] = "u9"
    else:
        changed = changed[early]
    changed = changed.assign(row=np.arange(len(changed)))
    changed = changed.sort_values(["user_id", "timestamp", "row"], kind="stable", ignore_index=True)
    now_early = (changed["timestamp"] < cut).to_numpy()
    labels, full = derive(events, early, *INTENTS)
    same_labels, again = derive(changed, now_early, *INTENTS)
    assert labels == same_labels
    for name in INTENTS:
        np.testing.assert_array_equal(full[name][early], again[name][now_early], err_msg=name)
