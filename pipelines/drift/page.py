"""The page of a comparison, made from its numbers alone."""

from __future__ import annotations

from typing import Any

from pipelines.drift.measures import DRIFT, LEFT_OUT, MIN_DAYS, MOVED, PERCENTS, TOO_FEW, largest_change
from pipelines.drift.words import amount, change_words, quantity, statistic_words
from pipelines.look.words import counted, literal, moment, number, percent
from pipelines.markdown import markdown

SHOWN = (0, 10, 25, 50, 75, 90, 100)


def page(drift: dict[str, Any]) -> str:
    """Markdown with every table, pictures beside it by their names."""
    new = drift["new"]
    parts = [
        f"# {literal(drift['dataset'])}: {'drift' if drift['drift'] else 'no drift'} in {literal(new['log'])}",
        f"Made by `{drift['command']}` on {drift['date'][:10]}; all numbers are in [`drift.json`](drift.json). "
        f"Training data fingerprint `{drift['fingerprint'][:12]}`.",
        "\n".join(f"- {literal(line, 400)}" for line in summary(drift)),
        "![every measure against its limit](overview.png)",
        *_measures(drift),
        *_mixes(drift),
        *_numbers(drift),
        *_log(drift),
    ]
    return "\n\n".join(parts) + "\n"


def summary(drift: dict[str, Any]) -> list[str]:
    """What stands out, a sentence each."""
    new, measures = drift["new"], drift["measures"]
    named = {word: [one for one in measures if one["verdict"] == word] for word in (DRIFT, MOVED, TOO_FEW, LEFT_OUT)}
    lines = [_verdict(named[DRIFT], len(measures))]
    if named[MOVED]:
        lines.append(f"Moved, but within the limits: {_names(named[MOVED])}.")
    if named[TOO_FEW]:
        lines.append(f"Too few values to judge: {_names(named[TOO_FEW])}.")
    if named[LEFT_OUT]:
        lines.append(f"Left out of the verdict as asked: {_names(named[LEFT_OUT])}.")
    strangers = percent((new["users"] - new["users_known"]) / new["users"])
    lines.append(
        f"{counted(new['events'], 'new event')} of {counted(new['users'], 'user')}, {strangers} of them unknown to the "
        "run's data."
    )
    if new["events_left_out_as_known"]:
        known = counted(new["events_left_out_as_known"], "event")
        lines.append(f"{known} of the log left out, for the run's data hold them already.")
    missing = new["events_without_catalogue_entry"]
    if missing:
        lines.append(
            f"{counted(missing, 'event')} of items without an entry in the catalogue: their features are empty."
        )
    rates = drift["hit_rate"]
    if rates and rates["new"] is not None:
        before = percent(rates["training"]) if rates["training"] is not None else "unknown"
        lines.append(f"The true item is among the model's first 10 in {percent(rates['new'])} (validation: {before}).")
    return lines


def _verdict(drifted: list[dict[str, Any]], many: int) -> str:
    if not drifted:
        return f"No drift: none of {many} measures is above its limit and above chance."
    words = ", ".join(f"{one['name']} ({statistic_words(one['statistic'])} {amount(one['value'])})" for one in drifted)
    return f"Drift in {len(drifted)} of {many} measures: {words}."


def _names(measures: list[dict[str, Any]]) -> str:
    return ", ".join(one["name"] for one in measures)


def _measures(drift: dict[str, Any]) -> list[str]:
    rows = [
        [
            literal(one["name"]),
            literal(change_words(one, largest_change(one)), 80),
            f"{one['samples']['training']:,}",
            f"{one['samples']['new']:,}",
            statistic_words(one["statistic"]),
            amount(one["value"]),
            amount(one["limit"]),
            amount(one["by_chance"]),
            one["verdict"],
        ]
        for one in drift["measures"]
    ]
    header = ["measure", "what changed most", "training values", "new values", "statistic", "value", "limit"]
    watch = drift["watch"]
    return [
        "## Measures",
        markdown([*header, "by chance", "verdict"], rows),
        "PSI (population stability index) is sum (q - p) ln(q / p) over the shares p of training and q of the new log, "
        "none counted below 0.001; below 0.1 is usually called stable, up to 0.25 a moderate shift, above a "
        "large one. KS (Kolmogorov-Smirnov) is the largest distance of the two distribution functions, from 0 to 1; "
        "for two normal distributions 0.125 and 0.2 are as far apart as a PSI of 0.1 and 0.25. A rise is a difference "
        "of shares.",
        "By chance: what independent samples of these sizes from one distribution exceed once in 100; events of one "
        "user are not independent, so it is the least. `drift` is above the limit and above chance, `moved` above "
        f"{watch['psi']:g} (PSI), {watch['ks']:g} (KS) or {watch['rise']:g} (rise) and above chance, `too few` means "
        f"fewer than {drift['min_sample']:,} values on a side ({MIN_DAYS} for days).",
        "Scores are compared with those on the run's validation part, for the model knows the answers of the training "
        "part. History length and what depends on it grow by themselves while users stay; `--ignore` leaves a measure "
        "out.",
    ]


def _mixes(drift: dict[str, Any]) -> list[str]:
    parts = []
    for one in drift["measures"]:
        if one["statistic"] == "psi" and one["value"] is not None:
            detail = one["detail"]
            rows = [
                [literal(label), percent(p), percent(q)]
                for label, p, q in zip(detail["labels"], detail["training"], detail["new"], strict=True)
            ]
            parts += [f"### {literal(one['name'])}", markdown(["label", "training", "new"], rows)]
    return ["## Labels", "![shares of labels](mixes.png)", *parts] if parts else []


def _numbers(drift: dict[str, Any]) -> list[str]:
    rows = []
    for one in drift["measures"]:
        if one["statistic"] == "ks":
            detail = one["detail"]
            before = "validation" if one["group"] == "score" else "training"
            for part, words in (("training", before), ("new", "new")):
                values = detail[part]
                if values:
                    cells = [quantity(values[PERCENTS.index(q)], detail["unit"]) for q in SHOWN]
                    rows.append([literal(one["name"]), words, *cells])
    if not rows:
        return []
    header = ["number", "part", *(f"{q}%" for q in SHOWN)]
    return ["## Numbers", "![distribution functions](numbers.png)", markdown(header, rows)]


def _log(drift: dict[str, Any]) -> list[str]:
    new, training = drift["new"], drift["training"]
    first, dated = training["first"], training["dated"]
    rows = [
        [what, *(cell(part) for part in (training, new))]
        for what, cell in (
            ("events", lambda part: f"{part['events']:,}"),
            ("users", lambda part: f"{part['users']:,}"),
            ("items", lambda part: f"{part['items']:,}"),
            ("first event", lambda part: moment(part["first"], first, dated)),
            ("last event", lambda part: moment(part["last"], first, dated)),
        )
    ]
    lines = [f"- {number(rows_)} rows rejected: {literal(reason, 200)}." for reason, rows_ in new["reasons"].items()]
    return ["## Logs", markdown(["", "training", "new"], rows), *(["\n".join(lines)] if lines else [])]
