"""Single evaluations on the results page: calibration, vectors, simulated tests, two stages; made from their JSONs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.abtest.statistics import METRICS
from pipelines.abtest.words import SIMULATION, interval, luck, percent_change, plain_number
from pipelines.embed.downstream_table import COLUMNS
from pipelines.markdown import markdown
from pipelines.validate import DataError

Found = list[tuple[Path, dict[str, Any]]]


def evaluation_parts(results: Path) -> list[str]:
    """Markdown sections, one for each kind of record that is there.

    Args:
        results: folder that holds ``calibration-*.json``, ``embed-*.json``, ``abtest-*.json`` or ``two-stage-*.json``.

    Raises:
        DataError: a file is no record of its kind.
    """
    parts = []
    for (kind, title), section in SECTIONS.items():
        found = [(path, _read(path)) for path in sorted(results.glob(f"{kind}-*.json"))]
        try:
            lines = [*section(found), "", *_pictures(kind, found), _links(found)] if found else []
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            names = ", ".join(path.name for path, _ in found)
            raise DataError(f"{results}: one of {names} is no record of {kind}; delete it and make it again.") from None
        parts += [f"## {title}", "", *lines, ""] if lines else []
    return parts


def _read(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DataError(f"{path}: is no JSON; delete it and make it again.") from None
    return record


def _pictures(kind: str, found: Found) -> list[str]:
    """Lines with the pictures that are there, named by the record's name, its kind at the end."""
    names = [path.stem.removeprefix(f"{kind}-") for path, _ in found]
    places = [path.parent / "pictures" / f"{name}-{kind}.png" for name, (path, _) in zip(names, found, strict=True)]
    return [f"![{place.stem}](pictures/{place.name})\n" for place in places if place.is_file()]


def _links(found: Found) -> str:
    made = (f"[`{path.name}`]({path.name}): `{record['command']}`" for path, record in found)
    return "\n".join(f"- {line}" for line in made)


def _calibration(found: Found) -> list[str]:
    header = ["data set", "head", "temperature", "ECE before", "ECE after", "log-loss before", "log-loss after"]
    rows = []
    for _, record in found:
        for head, one in record["heads"].items():
            before, after = one["test"]["before"], one["test"]["after"]
            numbers = (before["ece"], after["ece"], before["log_loss"], after["log_loss"])
            rows.append([record["dataset"], head, f"{one['temperature']:.3f}", *(f"{value:.4f}" for value in numbers)])
    better = sum(float(row[4]) < float(row[3]) for row in rows)
    return [
        f"Expected calibration error (ECE) of the intent heads on the test part; a temperature a head is fitted on "
        f"validation and stored in the export. It fell in {better} of {len(rows)} heads.",
        "",
        markdown(header, rows),
    ]


def _vectors(found: Found) -> list[str]:
    lines = [
        "What simple models read off the frozen vectors of users: AUC of the labels they take next (all, and within a "
        "label), accuracy of the best label, AUC of coming back, NDCG@50 of what the nearest users took. In brackets "
        "the 95% interval of the AUC's difference to the mean item vector; *: unlike the mean item vector's, p < .05.",
        "",
    ]
    for _, record in found:
        for name, rows in record["results"].items():
            back = record["users"][f"{name} who came back"]
            who = "all users" if name == "all" else f"cold start: users with at most {record['cold_events']} events"
            if not back:
                lines += [f"{record['dataset']}, {who}: nobody came back.", ""]
                continue
            against = record["against_average"][name]
            cells = [_vector_row(record["words"][kind], rows[kind], against.get(kind, {})) for kind in rows]
            days = record["days"]
            lines += [
                f"{record['dataset']}, {who}: {record['users'][name]:,}, {back:,} of whom came back in {days} days.",
                "",
                markdown(["vector", *COLUMNS.values()], cells),
                "",
            ]
    return lines


def _vector_row(words: str, scores: dict[str, float | None], gap: dict[str, Any]) -> list[str]:
    cells = [plain_number(scores[key]) for key in COLUMNS]
    if gap.get("labels_auc_interval"):
        cells[0] += f" ({interval(gap['labels_auc_interval'], 3)})"
    if gap.get("neighbours_p") is not None and gap["neighbours_p"] < 0.05:
        cells[-1] += "*"
    return [words, *cells]


def _tests(found: Found) -> list[str]:
    lines = [f"**{SIMULATION}**", ""]
    for _, record in found:
        a, b = (model["title"] for model in record["models"])
        rows = [
            [
                METRICS[name],
                *(plain_number(one[side]) for side in "ab"),
                percent_change(one["relative"]),
                interval(one["interval"]),
                luck(one["adjusted_p"]),
            ]
            for name, one in record["metrics"].items()
        ]
        signature, days, people = record["signature"], record["days"], record["users"][0]
        lines += [
            f"{a} (A) against {b} (B), pages of `{signature}`, {people:,} people, {days} days"
            + (", everybody lives with both" if record["paired"] else ""),
            "",
            markdown(["metric", "A", "B", "relative", "B - A: 95% interval", "p (Holm)"], rows),
            "",
        ]
        shared = record.get("interleaving")
        if shared and shared["share"] is not None:
            low, high = (f"{end:.1%}" for end in shared["interval"])
            lines += [
                f"On shared pages {shared['share']:.1%} of the people with a preference open more titles of B "
                f"({low} to {high}, p {luck(shared['p'])}).",
                "",
            ]
    return lines


def _stages(found: Found) -> list[str]:
    lines = [
        "Candidates first, IntentRec ranks only those: recall of the candidates, NDCG@10 of the final list, and its "
        "share of what ranking the whole catalogue reaches.",
        "",
    ]
    for _, record in found:
        full = record["full_ndcg@10"]
        rows = [
            [
                count,
                f"{one['recall']['all']:.4f}",
                f"{one['recall']['tail']:.4f}",
                f"{one['coverage']:.4f}",
                f"{one['ndcg@10']:.4f}",
                f"{one['ndcg@10'] / full:.1%}",
            ]
            for count, one in record["candidates"].items()
        ]
        header = ["candidates", "recall", "recall of the tail", "catalogue covered", "NDCG@10", "of the full softmax"]
        lines += [f"{record['dataset']}, {record['targets']:,} targets, full softmax {full:.4f}:", ""]
        lines += [markdown(header, rows), ""]
    return lines


def is_evaluation(name: str) -> bool:
    """Whether a file of this name has a section."""
    return any(name.startswith(f"{kind}-") for kind, _ in SECTIONS)


SECTIONS: dict[tuple[str, str], Callable[[Found], list[str]]] = {
    ("two-stage", "Two stages"): _stages,
    ("calibration", "Calibration of the intents"): _calibration,
    ("embed", "User vectors for other teams"): _vectors,
    ("abtest", "Simulated A/B tests"): _tests,
}
