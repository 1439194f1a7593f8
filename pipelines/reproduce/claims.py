"""The papers' claims, each with a plain verdict."""

from __future__ import annotations

from dataclasses import dataclass

from intentrec_tf.schema import Schema
from pipelines.markdown import markdown
from pipelines.reproduce.comparison import ITEM, Column, Difference, Row, compare, of_same_seeds
from pipelines.reproduce.systems import AUXILIARY, DCM, MEASURES, ONE, OPEN_TRANSACT, SOFT, V2_AUXILIARY, systems_of
from pipelines.reproduce.tables import p_text

LEVEL = 0.05
SEEDS = 2  # at least, of both systems, for a verdict
_ITEM = Column(ITEM)
_CANDIDATES = Column(MEASURES["retrieval"])
CANDIDATE_CLAIMS = (  # what is claimed, the better row, the worse one
    ("DCM finds more than one vector", DCM, ONE),
    ("DCM finds more than MIND", DCM, "MIND"),
    ("DCM finds more than ComiRec-SA", DCM, "ComiRec-SA"),
    ("DCM finds more than interest tokens", DCM, "Interest tokens"),
    ("DCM finds more than one vector without an encoder", "Without encoder: DCM", f"Without encoder: {ONE}"),
    ("Seven interests find more than four", DCM, "DCM, 4 interests"),
    ("Four interests find more than two", "DCM, 4 interests", "DCM, 2 interests"),
    ("The farthest start helps", DCM, "DCM, random start"),
    ("Single assignment helps", DCM, SOFT),
    ("Topics find more when learnt from logged source interests", "Logged source interest", "Topic of the item"),
    ("Ours, not the paper's: with every event in every cluster DCM finds more than ComiRec-SA", SOFT, "ComiRec-SA"),
    ("Ours, not the paper's: with every event in every cluster DCM finds more than tokens", SOFT, "Interest tokens"),
    ("Ours, not the paper's: the mixture helps DCM", DCM, "Without mixture: DCM"),
    ("Ours, not the paper's: attention to members helps one vector", ONE, f"Without member attention: {ONE}"),
)


@dataclass(frozen=True)
class Verdict:
    """A claim on one setting.

    Attributes:
        claim: in words.
        outcome: ``confirmed`` or ``refuted`` (p < .05 and at least two seeds), ``undecided``, or ``not run``.
        evidence: the numbers behind it.
    """

    claim: str
    outcome: str
    evidence: str


def verdicts(rows: dict[str, Row], window: str, intents: list[str]) -> list[Verdict]:
    """All claims on intents on one setting.

    Args:
        rows: by system name.
        window: name of V3 with the data set's own window, e.g. ``V3, 1 week``.
        intents: names of the data set's intents; with several, each should have a row "V3, only ...".
    """
    found = [
        _pair("The hierarchy helps the item (V2 over V1)", rows, "V2", "V1"),
        _pair("Short-term interest helps the item (V3 over V2)", rows, window, "V2"),
        _pair("Intents help the item (V3 over V0)", rows, window, "V0"),
        _pair("IntentRec beats TransAct", rows, window, "TransAct"),
        _pair(
            "Ours, not the paper's: IntentRec beats TransAct that nothing is hidden from", rows, window, OPEN_TRANSACT
        ),
        _pair("Ours, not the paper's: flat intent heads alone help the item (V1 over V0)", rows, "V1", "V0"),
        _pair("Ours, not the paper's: intents help the item with auxiliary heads (V3 over V0)", rows, AUXILIARY, "V0"),
        _pair("Ours, not the paper's: with auxiliary heads the hierarchy helps (V2 over V1)", rows, V2_AUXILIARY, "V1"),
    ]
    if "action_type" in intents and len(intents) > 1:
        found.append(_action_type(rows, intents))
    return found


def candidate_verdicts(rows: dict[str, Row], schema: Schema) -> list[Verdict]:
    """Pinterest's claims on candidates (arXiv 2506.23060 and 2508.16793), and ours, on one setting.

    Args:
        rows: by system name.
        schema: of the data set; what it cannot have, such as logged source interests, is no claim on it.
    """
    possible = {system.name for table in MEASURES for system in systems_of(table, schema)}
    return [
        _pair(claim, rows, better, worse, _CANDIDATES)
        for claim, better, worse in CANDIDATE_CLAIMS
        if {better, worse} <= possible
    ]


def verdict_table(found: list[Verdict]) -> str:
    """As Markdown."""
    rows = [[v.claim, f"**{v.outcome}**", v.evidence] for v in found]
    return markdown(["claim", "verdict", "evidence"], rows, align="---")


def _pair(claim: str, rows: dict[str, Row], better: str, worse: str, column: Column = _ITEM) -> Verdict:
    if better not in rows or worse not in rows:
        return Verdict(claim, "not run", "")
    ours, theirs = of_same_seeds(rows[better], rows[worse])
    difference = compare(ours, theirs, column)
    assert difference is not None
    means = f"{column.name} {ours.mean(column):.4f} against {theirs.mean(column):.4f}"
    evidence = f"{means} ({difference.relative:+.2f}%, p {p_text(difference.p_value)})"
    seeds = min(len(ours.records), len(theirs.records))
    return Verdict(claim, _outcome(difference, seeds), f"{evidence}, {_count(seeds)}")


def _action_type(rows: dict[str, Row], intents: list[str]) -> Verdict:
    claim = "Of single intents, the action type helps the item most"
    heads = {name: rows[f"V3, only {name}"] for name in intents if f"V3, only {name}" in rows}
    if len(heads) < len(intents):
        return Verdict(claim, "not run", "")
    means = {name: row.mean(_ITEM) or 0.0 for name, row in heads.items()}
    rival = max((name for name in means if name != "action_type"), key=lambda name: means[name])
    difference = compare(heads["action_type"], heads[rival], _ITEM)
    assert difference is not None
    evidence = ", ".join(f"{name} {mean:.4f}" for name, mean in sorted(means.items(), key=lambda pair: -pair[1]))
    seeds = min(len(row.records) for row in heads.values())
    evidence += f" (against {rival}: p {p_text(difference.p_value)}), {_count(seeds)}"
    return Verdict(claim, _outcome(difference, seeds), evidence)


def _outcome(difference: Difference, seeds: int) -> str:
    """The test tells chance among users; chance among seeds takes several of them."""
    if not difference.p_value < LEVEL:  # also without any target, where it is NaN
        return "undecided"
    if seeds < SEEDS:
        return "undecided, better with one seed" if difference.relative > 0 else "undecided, worse with one seed"
    return "confirmed" if difference.relative > 0 else "refuted"


def _count(seeds: int) -> str:
    return f"{seeds} seed" + ("s" if seeds > 1 else "")
