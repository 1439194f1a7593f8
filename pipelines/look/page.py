"""The page of a look, made from its numbers alone."""

from __future__ import annotations

from typing import Any

from pipelines.drawing import spoken
from pipelines.look.declared_page import declared_part, declared_summary
from pipelines.look.words import counted, duration, literal, moment, number, percent
from pipelines.markdown import markdown

CATEGORIES, LABELS, NOTES = 15, 8, 10
SPREAD = {"min": "smallest", "p10": "10%", "p25": "25%", "median": "median", "p75": "75%", "p90": "90%"}
SPREAD |= {"max": "largest", "mean": "mean"}
KINDS = {"time": "by time, over all users", "leave_one_out": "each user's last event is test"}


def page(look: dict[str, Any]) -> str:
    """Markdown with every table, pictures beside it by their names."""
    parts = [
        f"# {literal(look['dataset'])}: a first look",
        f"Made by `{look['command']}` on {look['date'][:10]}; all numbers are in [`look.json`](look.json). Data "
        f"fingerprint `{look['fingerprint'][:12]}`, split {KINDS[look['split']['kind']]}.",
        "\n".join(f"- {line}" for line in summary(look)),
        *_size(look),
        *_tail(look),
        *_interests(look),
        *declared_part(look),
        *_intents(look),
        *_quality(look),
    ]
    return "\n\n".join(parts) + "\n"


def summary(look: dict[str, Any]) -> list[str]:
    """What stands out, a sentence each."""
    size, tail, found = look["size"], look["tail"], look["interests"]
    lines = [
        f"{counted(size['users'], 'user')}, {counted(size['items'], 'item')}, {counted(size['events'], 'event')} "
        f"(median {number(size['events_per_user']['median'])} a user) in {duration(size['span_seconds'])}; "
        f"{percent(size['repeat_share'])} of events are repeats.",
        f"The top {tail['head_share_of_items']:.0%} of the items have {percent(tail['head_share_of_events'])} of the "
        f"training events" + _outside(tail["targets"]) + ".",
    ]
    if found and found["users"]:
        segments = ", ".join(
            f"{s['segment']} {number(s['effective']['median'])} ({counted(s['measured'], 'user')})"
            for s in found["segments"]
            if s["effective"]
        )
        lines.append(
            f"A user's training events cover {number(found['distinct']['median'])} of {found['labels']:,} categories "
            f"({literal(spoken(found['feature']))}), as diverse as {number(found['effective']['median'])} equally "
            f"frequent ones (medians; {segments}); with the items dealt out at random it would be "
            f"{number(found['dealt_out']['effective']['median'])}."
        )
    else:
        lines.append("No item feature with labels, so nothing on categories.")
    return [*lines, *declared_summary(look)]


def _outside(targets: dict[str, Any]) -> str:
    if not targets["count"]:
        return "; there is no test part"
    return (
        f"; {percent(targets['outside_head'])} of the test events lie outside it "
        f"({percent(targets['never_in_training'])} on items never met in training)"
    )


def _size(look: dict[str, Any]) -> list[str]:
    size = look["size"]
    first, dated = size["first"], size["dated"]
    gaps = size["seconds_between_events"]
    rows = [
        ["users", f"{size['users']:,}"],
        ["items of the catalogue", f"{size['items']:,}"],
        ["items with an event", f"{size['items_with_events']:,}"],
        ["events", f"{size['events']:,}"],
        ["first event", moment(first, first, dated)],
        ["last event", moment(size["last"], first, dated)],
        ["span", duration(size["span_seconds"])],
        ["share of repeats (the user had the item before)", percent(size["repeat_share"])],
        ["median time from one event of a user to the next", duration(gaps["median"])],
    ]
    header = ["part", "events", "share", "users", "items", "first", "last", "repeats", "of users not in training"]
    parts = [
        [
            part["part"],
            f"{part['events']:,}",
            percent(part["share"]),
            f"{part['users']:,}",
            f"{part['items']:,}",
            moment(part["first"], first, dated),
            moment(part["last"], first, dated),
            percent(part["repeat_share"]),
            percent(part["events_of_users_not_in_training"]),
        ]
        for part in size["parts"]
    ]
    lengths = _shares("events of a user", "users", size["users_by_events"])
    waits = _shares("time to the user's next event", "pairs of events", gaps["gaps"])
    undated = "" if dated else " Time stamps count from an unknown origin, so days are counted from the first event."
    return [
        "## Size",
        markdown(["", "number"], rows),
        f"The parts of the split (shares of events).{undated}",
        markdown(header, parts),
        "![events over time](time.png)",
        f"Events per user: {_spread_words(size['events_per_user'])}.",
        lengths,
        waits,
        "![events per user, time between events](activity.png)",
    ]


def _tail(look: dict[str, Any]) -> list[str]:
    tail = look["tail"]
    targets, head = tail["targets"], f"top {tail['head_share_of_items']:.0%}"
    rows = [
        ["items met in training", f"{tail['items_in_training']:,}"],
        [
            "items never met in training",
            f"{tail['items_never_in_training']:,} ({percent(tail['share_never_in_training'])})",
        ],
        [
            f"items in the {head}",
            f"{tail['head_items']:,} ({percent(tail['head_share_of_catalogue'])} of the catalogue)",
        ],
        [f"training events in the {head}", percent(tail["head_share_of_events"])],
        ["Gini coefficient of items met in training", number(tail["gini"], 3)],
        ["Gini coefficient of the catalogue", number(tail["gini_of_catalogue"], 3)],
        ["training events of an item met there: median", number(tail["events_per_item"]["median"])],
        ["largest", number(tail["events_per_item"]["max"])],
        [f"test events in the {head}", percent(targets["head"])],
        [f"test events outside the {head}, item met in training", percent(targets["tail"])],
        ["test events, item never met in training", percent(targets["never_in_training"])],
    ]
    return [
        "## Tail",
        f"Popularity is the number of training events; the {head} is of the items met in training. The Gini "
        "coefficient is 0 if all items are equally popular and near 1 if one has everything.",
        markdown(["", "number"], rows),
        "![popularity](tail.png)",
    ]


def _interests(look: dict[str, Any]) -> list[str]:
    found = look["interests"]
    if not found:
        return ["## Interests per user", "The schema has no item feature with labels, so there is nothing to count."]
    title = f"Categories are the labels of `{found['feature']}` ({found['chosen']}); "
    title += "an event of n labels counts 1/n for each."
    if not found["users"]:
        return ["## Interests per user", f"{title} No training event is of an item with a label."]
    dealt = found["dealt_out"]
    rows = [
        [name, *(number(found[key][q], 2) for q in SPREAD)]
        for name, key in (
            ("distinct categories", "distinct"),
            ("entropy (nats)", "entropy"),
            ("effective number, exp(entropy)", "effective"),
        )
    ]
    rows.append(["effective number, items dealt out at random", *(number(dealt["effective"][q], 2) for q in SPREAD)])
    segments = [
        [
            f"{s['segment']}: {s['says']}",
            f"{s['users']:,} ({percent(s['share_of_users'])})",
            percent(s["share_of_training_events"]),
            f"{s['measured']:,}",
            number((s["distinct"] or {}).get("median")),
            *(number((s["effective"] or {}).get(q), 2) for q in ("p10", "median", "p90")),
            number(s["dealt_out_effective_median"], 2),
        ]
        for s in found["segments"]
    ]
    header = ["segment", "users", "of training events", "measured", "distinct, median"]
    header += ["effective, 10%", "effective, median", "effective, 90%", "dealt out, median"]
    categories = [
        [literal(c["label"]), percent(c["share_of_events"]), percent(c["share_of_items"]), percent(c["share_of_users"])]
        for c in found["categories"][:CATEGORIES]
    ]
    return [
        "## Interests per user",
        f"{title} Only training events count: {counted(found['users'], 'user')} have some with a label, "
        f"{found['users_without']:,} have none; {percent(found['share_of_items_without'])} of the items and "
        f"{percent(found['share_of_events_without'])} of the training events have no label, the others "
        f"{number(found['labels_per_event'])} on average. The effective number is that of equally frequent categories "
        "which would be as diverse; an event of several labels alone has more than one. Dealt out: the same users with "
        "as many events, the items drawn from everybody's; what lies below that is taste.",
        markdown(["of a user", *SPREAD.values()], rows),
        markdown(header, segments),
        "![effective number of categories](interests.png)",
        _more(len(found["categories"]), CATEGORIES, "categories"),
        markdown(["category", "share of training events", "share of items", "users with it"], categories),
        "![categories](categories.png)",
    ]


def _intents(look: dict[str, Any]) -> list[str]:
    if not look["intents"]:
        return ["## Intents", "The schema has no intents."]
    rows = []
    for intent in look["intents"]:
        for kind in ("training", "test"):
            cells = [f"{literal(x['label'])} {percent(x[kind])}" for x in intent["labels"] if x[kind] is not None]
            if cells:
                rest = [f"{len(cells) - LABELS:,} more"] if len(cells) > LABELS else []
                without = percent(intent["share_of_events_without"])
                unknown = percent(intent["share_unknown"][kind])
                rows.append([literal(intent["intent"]), kind, ", ".join([*cells[:LABELS], *rest]), without, unknown])
    header = ["intent", "part", "labels and their shares", "events without a label", "unknown to the model"]
    text = "Shares of events, or of all labels where an event may have several. The model does not know labels that "
    parts = ["## Intents", f"{text}are too rare in training (`min_count` of the feature)."]
    parts.append(markdown(header, rows, "---"))
    return [*parts, *(["![labels of the intents](intents.png)"] if rows else [])]


def _quality(look: dict[str, Any]) -> list[str]:
    found = look["quality"]
    files = [
        [f"`{f['file']}`", f"{f['read']:,}", f"{f['rejected']:,}", percent(f["share_rejected"])] for f in found["files"]
    ]
    features = [
        [f"`{f['feature']}`", f["of"], f["kind"], number(f["labels"]), percent(f["share_empty"])]
        for f in found["features"]
    ]
    unknown = found["events_of_items_unknown_in_training"]
    lines = [
        f"The model knows {counted(found['items_the_model_knows'], 'item')}; {counted(unknown, 'event')} "
        f"({percent(found['share_of_events_of_items_unknown_in_training'])}) are of others.",
    ]
    if found["events_left_out_min_interactions"]:
        left = counted(found["events_left_out_min_interactions"], "event")
        lines.append(f"{left} of items with too few were left out.")
    lines += [f"{counted(rows, 'row')} rejected: {literal(reason, 200)}." for reason, rows in found["reasons"].items()]
    lines += [literal(note, 300) for note in (*found["notes"][:NOTES], *found["sources"])]
    parts = ["## Quality", "\n".join(f"- {line}" for line in lines)]
    if files:
        parts.append(markdown(["file", "rows read", "rejected", "share"], files))
    if features:
        parts.append(markdown(["feature", "of", "kind", "labels", "empty"], features))
    return parts


def _shares(what: str, unit: str, counts: dict[str, int]) -> str:
    """Counts and their shares, each bin a row."""
    total = sum(counts.values())
    rows = [[name, f"{n:,}", percent(n / total) if total else "-"] for name, n in counts.items()]
    return markdown([what, unit, "share"], rows)


def _spread_words(spread: dict[str, float]) -> str:
    return ", ".join(f"{words} {number(spread[key])}" for key, words in SPREAD.items())


def _more(many: int, shown: int, what: str) -> str:
    return f"The {shown} most frequent of {many:,} {what}:" if many > shown else f"All {what}:"
