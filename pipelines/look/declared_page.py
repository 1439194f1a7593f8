"""What the page says about declared interests."""

from __future__ import annotations

from typing import Any

from pipelines.look.words import counted, literal, number, percent
from pipelines.markdown import markdown

LABELS = 15
NONE = "The data set has no declared interests."
DERIVED = (
    "Nobody declared these interests: they are derived from the user's ratings in the first part of the history, which "
    "is among the events below, so part of the agreement is by construction."
)
ROWS = {
    "declared_seen": "declared labels that the user's events touch",
    "events_declared": "the user's events that touch a declared label",
    "labels_declared": "labels the user's events touch that are declared",
}


def declared_summary(look: dict[str, Any]) -> list[str]:
    """The most telling sentence."""
    found = look["declared"]
    if not found or not found["users_declaring_with_events"]:
        return [NONE]
    seen, events = (found[name] for name in ("declared_seen", "events_declared"))
    return [
        f"{percent(found['share_of_users'])} of users {'have derived' if found['derived'] else 'declared'} interests "
        f"({number(found['declared_per_user']['mean'])} each): their events touch {percent(seen['spread']['mean'])} "
        f"of them{_another(seen)}, and {percent(events['spread']['mean'])} of their events touch a declared "
        f"one{_another(events)}."
    ]


def declared_part(look: dict[str, Any]) -> list[str]:
    """The section; one sentence if nobody declared anything."""
    found = look["declared"]
    if not found:
        return ["## Declared interests", NONE]
    head = (
        f"{counted(found['users_declaring'], 'user')} declared {counted(found['declarations'], 'interest')} (labels of "
        f"`{found['feature']}`); {found['users_declaring_with_events']:,} of them have an event, which is "
        f"{percent(found['share_of_users'])} of all users with events."
    )
    if found["derived"]:
        head = f"{DERIVED} {head}"
    if not found["users_declaring_with_events"]:
        return ["## Declared interests", head]
    if found["share_declared_by_first_event"] is not None:
        head += (
            f" {percent(found['share_declared_by_first_event'])} of the declarations were made no later than the "
            "user's first event."
        )
    people = found["users_by_declarations"]
    total = sum(people.values())
    counts = [[name, f"{n:,}", percent(n / total)] for name, n in people.items()]
    rows = [[words, *_direction(found[name])] for name, words in ROWS.items()]
    segments = [
        [
            f"{row['segment']}: {look['segments'][row['segment']]}",
            f"{row['users']:,}",
            f"{row['declaring']:,} ({percent(row['share_declaring'])})",
            number(row["declared_per_user"]),
            percent(row["declared_seen"]),
            percent(row["events_declared"]),
        ]
        for row in found["segments"]
    ]
    labels = [
        [
            literal(row["label"]),
            f"{row['users']:,}",
            percent(row["share_who_touch_it"]),
            percent(row["share_of_their_events"]),
            percent(row["share_of_others_events"]),
        ]
        for row in found["labels"][:LABELS]
    ]
    many = len(found["labels"])
    return [
        "## Declared interests",
        head,
        markdown(["interests a user declared", "users", "share"], counts),
        "Both directions, over the users who declared something and have events (all of them, of every part). The "
        "last column says what it would be if users had each other's declarations: only what goes beyond that is "
        "about the user.",
        markdown(["share of", "mean", "median", "users with 0%", "users with 100%", "another's, mean"], rows),
        "![declared interests and behaviour](declared.png)",
        markdown(
            ["segment", "users", "declared some", "each", "declared labels touched", "events touching them"], segments
        ),
        f"The {LABELS} most declared of {many:,} labels:" if many > LABELS else "All declared labels:",
        markdown(["label", "declared by", "of them touch it", "of their events", "of others' events"], labels),
        "![events by who declared the label](declared-labels.png)",
    ]


def _direction(direction: dict[str, Any]) -> list[str]:
    spread, other = direction["spread"] or {}, direction["of_another_user"] or {}
    shares = (spread.get("mean"), spread.get("median"), direction["none"], direction["all"], other.get("mean"))
    return [percent(share) for share in shares]


def _another(direction: dict[str, Any]) -> str:
    other = direction["of_another_user"]
    return f" (with another user's declarations {percent(other['mean'])})" if other else ""
