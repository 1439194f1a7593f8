"""The rows of the paper's tables, and of our own ablations, as changes of a configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from intentrec_tf.durations import format_span
from intentrec_tf.retrieval.config import IMPLICIT
from intentrec_tf.schema import Schema
from pipelines.validate import DataError

HOUR, DAY, WEEK, MONTH = 3_600, 86_400, 604_800, 30 * 86_400
SPANS = {HOUR: "1 hour", DAY: "1 day", WEEK: "1 week", MONTH: "1 month"}
BASELINES = ("LSTM", "GRU", "Transformer", "SASRec", "BERT4Rec", "TransAct", "TwoTower")
AUXILIARY, V2_AUXILIARY = "V3 with auxiliary heads", "V2 with auxiliary heads"
OPEN_TRANSACT = "TransAct, nothing hidden"
TABLES = {
    "table1": "IntentRec (V3) and V0 beside the baselines",
    "table2": "what each part of the hierarchy adds: V0 to V3",
    "table3": "one intent at a time: which of them helps the item",
    "windows": "the short-term window H: none, an hour, a day, a week, a month",
    "weights": "lambda, the weight of the intents' losses",
    "times": "positions by timestamps, by order, and attention by distance",
    "retrieval": "candidates: one vector a user, or several, the best of which scores an item; "
    "what is 'without' also lacks what the rows above it lack",
    "interests": "what makes DCM: the number of interests, their start, assignment, the mixture",
    "topics": "candidates of a declared topic, which the target has or was surfaced for",
}
MEASURES = dict.fromkeys(("retrieval", "interests", "topics"), "HR@100")
ONE, DCM, SOFT = "One vector", "DCM", "DCM, every event in every cluster"
SOURCE = "source_interest"


@dataclass(frozen=True)
class System:
    """One row: a name and what it changes in the ``model`` part of the configuration.

    Attributes:
        name: as the tables print it, unique within a data set.
        changes: of :class:`ModelConfig`, always with ``variant``, or of :class:`RetrievalConfig`, with ``interests``.
    """

    name: str
    changes: dict[str, Any] = field(hash=False)

    @property
    def part(self) -> str:
        """Of the configuration, that ``changes`` belong to."""
        return "retrieval" if "interests" in self.changes else "model"

    @property
    def variant(self) -> str:
        """Of the model; ``retrieval`` for candidates."""
        return str(self.changes.get("variant", "retrieval"))

    @property
    def slug(self) -> str:
        """For file names."""
        return re.sub(r"[^a-z0-9.]+", "-", self.name.lower()).strip("-")


def systems_of(table: str, schema: Schema) -> list[System]:
    """The rows of a table for a data set, in the paper's order; none where the data have nothing of the kind.

    Raises:
        DataError: unknown table, or one that needs intents for a schema without any.
    """
    if table not in TABLES:
        raise DataError(f"unknown table '{table}'; choose one of {', '.join(TABLES)}.")
    if table in MEASURES:
        return _retrieval_systems(table, schema)
    if not schema.intents:
        raise DataError(f"schema '{schema.name}' declares no intents, so there is nothing to reproduce.")
    best = own_v3(schema)
    window = best.changes["short_term_window"]
    plain = {name: System(name, {"variant": name}) for name in (*BASELINES, "V0", "V1", "V2")}
    if table == "table1":
        # its hidden window costs it much where sessions are hours apart, so it is compared without one, too
        shown = System(OPEN_TRANSACT, {"variant": "TransAct", "hidden_window": None})
        return [*(plain[name] for name in BASELINES), shown, plain["V0"], best, ours(schema)]
    if table == "table2":
        both = System(V2_AUXILIARY, {"variant": "V2", "auxiliary": True})
        return [plain["V0"], plain["V1"], plain["V2"], *_windows(window, (MONTH, WEEK)), both, ours(schema)]
    if table == "table3":
        single = [System(f"V3, only {name}", {**best.changes, "intents": [name]}) for name in schema.intent_names]
        return [plain["V0"], *(single if len(single) > 1 else []), best]
    if table == "windows":
        return [plain["V2"], *_windows(window, (HOUR, DAY, WEEK, MONTH))]
    if table == "weights":
        return [System(f"V3, lambda {x:g}", {**best.changes, "intent_weight": x}) for x in (0.03, 0.1, 0.3, 1.0, 3.0)]
    return [
        System("V3, order instead of time", {**best.changes, "time_encoding": "position", "distances": False}),
        System("V3, timestamps only", {**best.changes, "time_encoding": "timestamp", "distances": False}),
        System("V3, order and distances", {**best.changes, "time_encoding": "position", "distances": True}),
        System("V3, timestamps and distances", {**best.changes, "time_encoding": "timestamp", "distances": True}),
    ]


def _retrieval_systems(table: str, schema: Schema) -> list[System]:
    # what the papers do not have; each "without" lacks what is above it, too
    ours: dict[str, Any] = {"members": True, "member_attention": True, "contrast": "mixture"}
    if table == "retrieval":
        plain = [System(name, {"interests": kind, **ours}) for name, kind in IMPLICIT.items()]
        whole = System("DCM and the whole user", {"interests": "dcm", "whole_user": True, **ours})
        steps: dict[str, dict[str, Any]] = {
            "Without mixture": {**ours, "contrast": "all"},
            "Without member attention": {"members": True, "member_attention": False, "contrast": "all"},
            "Without members": {"members": False, "member_attention": False, "contrast": "all"},
            "Without encoder": {"members": False, "member_attention": False, "contrast": "all", "blocks": 0},
        }
        less = [
            System(f"{step}: {name}", {"interests": IMPLICIT[name], **changes})
            for step, changes in steps.items()
            for name in ((DCM,) if step == "Without mixture" else (ONE, DCM))  # one vector has no mixture to lack
        ]
        return [*plain, whole, *less]
    if table == "interests":
        ablations: dict[str, dict[str, Any]] = {
            "DCM, 2 interests": {"count": 2},
            "DCM, 4 interests": {"count": 4},
            DCM: {},
            "DCM, 12 interests": {"count": 12},
            "DCM, random start": {"farthest_start": False},
            SOFT: {"single_assignment": False},
            "DCM, random start, every event in every cluster": {"farthest_start": False, "single_assignment": False},
            "DCM, inner products instead of cosines": {"sharpness": None},
            "DCM, the chosen vector alone": {"contrast": "chosen"},
        }
        return [System(name, {"interests": "dcm", **ours, **changes}) for name, changes in ablations.items()]
    if schema.explicit_interests is None:
        return []
    logged = SOURCE in {feature.name for feature in schema.event_features}
    asked = {"interests": "conditional", **ours, "source_column": SOURCE if logged else None}
    item = System("Topic of the item", {**asked, "bootstrap": True})
    return [item, System("Logged source interest", {**asked, "bootstrap": False})] if logged else [item]


def own_v3(schema: Schema) -> System:
    """V3 with the data set's own window, a week if the schema names none."""
    return short_term(schema.short_term_window or WEEK)


def ours(schema: Schema) -> System:
    """V3 with intent heads on the item encoder too, which the paper does not have."""
    return System(AUXILIARY, {**own_v3(schema).changes, "auxiliary": True})


def short_term(window: int) -> System:
    """V3 with a window of so many seconds."""
    return System(f"V3, {SPANS.get(window, format_span(window))}", {"variant": "V3", "short_term_window": window})


def _windows(own: int, usual: tuple[int, ...]) -> list[System]:
    """V3 with the usual windows and the data set's own, longest last."""
    return [short_term(window) for window in sorted({own, *usual})]
