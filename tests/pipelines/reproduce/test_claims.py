"""Verdicts that follow from the numbers, and only from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipelines.datasets.registry import packaged_schema
from pipelines.reproduce.claims import CANDIDATE_CLAIMS, Verdict, candidate_verdicts, verdict_table, verdicts
from pipelines.reproduce.compact import pack_numbers, top_ranks
from pipelines.reproduce.comparison import Row
from pipelines.reproduce.systems import AUXILIARY, MEASURES, OPEN_TRANSACT, systems_of

OWN = "V3, 1 week"
INTENTS = ["action_type", "genre", "type"]
GOOD, BAD = [1] * 30, [3] * 30
Rows = Callable[[dict[str, list[int]]], dict[str, Row]]


@pytest.fixture
def rows(make_record: Callable[..., dict[str, Any]]) -> Rows:
    """Rows of two seeds by name from ranks by name, one user a target."""
    return lambda ranks: {
        name: Row([make_record(name, values, seed=seed) for seed in (0, 1)]) for name, values in ranks.items()
    }


def outcomes(found: list[Verdict]) -> list[str]:
    return [verdict.outcome for verdict in found]


def test_confirmed_refuted_undecided_and_not_run(rows: Rows):
    found = verdicts(rows({"V1": BAD, "V2": GOOD, "V3, 1 week": [3, *GOOD[1:]], "V0": GOOD}), OWN, ["genre"])
    assert outcomes(found) == [
        "confirmed",
        "undecided",
        "undecided",
        "not run",
        "not run",
        "refuted",
        "not run",
        "not run",
    ]
    assert found[0].claim == "The hierarchy helps the item (V2 over V1)"
    assert found[0].evidence == "NDCG@10 1.0000 against 0.5000 (+100.00%, p < .001), 2 seeds"
    assert found[3].evidence == ""
    ranks = {"V1": GOOD, "V2": BAD, OWN: GOOD, "V0": [30] * 30, "TransAct": GOOD, OPEN_TRANSACT: BAD, AUXILIARY: GOOD}
    # also where V0 finds nothing at all
    assert outcomes(verdicts(rows(ranks), OWN, ["genre"])) == [
        *("refuted", "confirmed", "confirmed", "undecided", "confirmed", "confirmed", "confirmed", "not run"),
    ]


def test_one_seed_is_a_hint_and_no_verdict(make_record: Callable[..., dict[str, Any]]):
    one = {name: Row([make_record(name, ranks)]) for name, ranks in {"V1": BAD, "V2": GOOD, OWN: BAD}.items()}
    found = verdicts(one, OWN, [])
    assert outcomes(found)[:2] == ["undecided, better with one seed", "undecided, worse with one seed"]
    assert found[0].evidence.endswith(", 1 seed")


def test_few_users_decide_nothing(rows: Rows):
    assert outcomes(verdicts(rows({"V1": [3] * 4, "V2": [1] * 4}), OWN, []))[0] == "undecided"
    assert outcomes(verdicts(rows({"V1": [3], "V2": [1]}), OWN, []))[0] == "undecided"


def test_only_the_data_sets_own_window_counts(rows: Rows):
    assert outcomes(verdicts(rows({"V2": BAD, "V0": BAD, "V3, 1 day": GOOD}), OWN, [])) == ["not run"] * 8


def singles(**ranks: list[int]) -> dict[str, list[int]]:
    return {f"V3, only {name}": values for name, values in ranks.items()}


def test_the_action_type_among_single_intents(rows: Rows):
    best = verdicts(rows(singles(action_type=GOOD, genre=BAD, type=[4] * 30)), OWN, INTENTS)[-1]
    assert best.claim == "Of single intents, the action type helps the item most"
    assert best.outcome == "confirmed"
    assert best.evidence == "action_type 1.0000, genre 0.5000, type 0.4307 (against genre: p < .001), 2 seeds"
    assert verdicts(rows(singles(action_type=BAD, genre=GOOD, type=BAD)), OWN, INTENTS)[-1].outcome == "refuted"
    assert verdicts(rows(singles(action_type=GOOD, genre=GOOD, type=BAD)), OWN, INTENTS)[-1].outcome == "undecided"


def test_a_single_intent_that_was_not_run_leaves_the_question_open(rows: Rows):
    found = verdicts(rows(singles(action_type=GOOD, genre=BAD)), OWN, INTENTS)
    assert (found[-1].outcome, found[-1].evidence) == ("not run", "")
    assert len(found) == 9


@pytest.mark.parametrize("intents", [["genre", "type"], ["action_type"], []])
def test_no_such_claim_without_rivals(rows: Rows, intents: list[str]):
    assert len(verdicts(rows({"V0": GOOD}), OWN, intents)) == 8


def test_as_markdown():
    lines = verdict_table([Verdict("Water is wet", "confirmed", "wet 1, dry 0")]).splitlines()
    assert lines[0] == "| claim | verdict | evidence |"
    assert lines[2] == "| Water is wet | **confirmed** | wet 1, dry 0 |"


def test_candidates_are_judged_by_what_a_hundred_hold(make_record: Callable[..., dict[str, Any]]):
    """Rank 90 is as good as rank 1 there, and rank 101 is none."""

    def row(name: str, rank: int) -> Row:
        records = [make_record("V0", [rank] * 30, seed=seed) for seed in (0, 1)]
        for record in records:
            record["metrics"]["HR@100"] = float(rank <= 100)
            record |= {"system": name, "ranks": pack_numbers(top_ranks(np.full(30, rank), 1_000))}
        return Row(records)

    ranks = {"DCM": 90, "One vector": 101, "MIND": 1, "DCM, 4 interests": 200, "DCM, 2 interests": 99}
    rows = {name: row(name, rank) for name, rank in ranks.items()}
    found = {v.claim: v for v in candidate_verdicts(rows, packaged_schema("foursquare-nyc"))}
    assert found["DCM finds more than one vector"].outcome == "confirmed"
    assert found["DCM finds more than one vector"].evidence.startswith("HR@100 1.0000 against 0.0000")
    assert found["DCM finds more than MIND"].outcome == "undecided"
    assert found["Seven interests find more than four"].outcome == "confirmed"
    assert found["Four interests find more than two"].outcome == "refuted"
    assert found["DCM finds more than interest tokens"].outcome == "not run"


def test_every_claim_on_candidates_is_of_rows_that_there_are():
    schema = packaged_schema("simulated")
    names = {system.name for table in MEASURES for system in systems_of(table, schema)}
    for claim, *rows in CANDIDATE_CLAIMS:
        assert names.issuperset(rows), claim
    assert [v.claim for v in candidate_verdicts({}, schema)] == [claim for claim, *_ in CANDIDATE_CLAIMS]
    without_topics = candidate_verdicts({}, packaged_schema("foursquare-nyc"))
    assert len(without_topics) == len(CANDIDATE_CLAIMS) - 1
    assert not any("opics" in v.claim for v in without_topics)
