"""Predictions as text for people: aligned bars that fit the terminal, in Unicode or in plain ASCII."""

from __future__ import annotations

import dataclasses
import math
import shutil
import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from serving.client.results import IntentPrediction, Recommendations, ScoredLabel

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_MIN_WIDTH, _MAX_WIDTH, _MAX_BAR = 40, 120, 40
_PERCENT_ROOM = 2 + 2 + 2 + 6  # margin, two gaps, percentage


@dataclass(frozen=True)
class Canvas:
    """Where text goes.

    Attributes:
        width: Columns in a line.
        unicode: Whether block characters and accents can be written; ASCII otherwise.
    """

    width: int = 80
    unicode: bool = True

    @classmethod
    def of(cls, stream: TextIO) -> Canvas:
        """The canvas of a stream: the terminal's width (80 if there is none) and the encoding's abilities."""
        try:
            _EIGHTHS.encode(getattr(stream, "encoding", None) or "ascii")
            can = True
        except (UnicodeEncodeError, LookupError):
            can = False
        columns = shutil.get_terminal_size((80, 24)).columns
        return cls(width=min(max(columns, _MIN_WIDTH), _MAX_WIDTH), unicode=can)

    def text(self, value: str) -> str:
        """`value` without control characters and, on an ASCII canvas, without accents and the like."""
        clean = "".join(char if char.isprintable() else "?" for char in value)
        if self.unicode:
            return clean
        decomposed = unicodedata.normalize("NFKD", clean)
        bare = "".join(char for char in decomposed if not unicodedata.combining(char))
        return bare.encode("ascii", "replace").decode("ascii")

    def fit(self, value: str, width: int) -> str:
        """`value` cut or padded with spaces to exactly `width` columns; wide characters count as two."""
        clean = self.text(value)
        if columns_of(clean) > width:
            mark = "…" if self.unicode else "~"
            kept = ""
            for char in clean:
                if columns_of(kept + char) > width - 1:
                    break
                kept += char
            clean = kept + mark
        return clean + " " * (width - columns_of(clean))

    def bar(self, share: float, width: int) -> str:
        """A bar of `share` (0 to 1, cut to that) of `width` columns, padded with spaces to `width`."""
        share = min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
        if not self.unicode:
            return ("#" * round(share * width)).ljust(width)
        full, eighth = divmod(round(share * width * 8), 8)
        return (_EIGHTHS[8] * full + _EIGHTHS[eighth] * (eighth > 0)).ljust(width)


def render_history(
    history: Sequence[Any],
    titles: Mapping[str, str] | None = None,
    canvas: Canvas | None = None,
    limit: int = 5,
) -> str:
    """The newest events of a user, newest last, one a line: time (UTC), title or id, further columns.

    Args:
        history: Events as the client takes them: mappings or dataclasses.
        titles: Title by item id.
        canvas: Default: 80 columns of Unicode.
        limit: How many events to show.
    """
    canvas = canvas or Canvas()
    events = sorted((_as_dict(event) for event in history), key=lambda event: event["timestamp"])
    if not events:
        return "History: no events"
    shown = events[-limit:]
    of_all = f"last {len(shown)} of {len(events)} events" if len(shown) < len(events) else f"{len(events)} events"
    lines = [f"History: {of_all}"]
    for event in shown:
        moment = time.strftime("%Y-%m-%d %H:%M", time.gmtime(int(event["timestamp"])))
        name = (titles or {}).get(event["item_id"]) or str(event["item_id"])
        details = ", ".join(
            _detail(value)
            for key, value in event.items()
            if key not in ("item_id", "timestamp") and not _is_missing(value)
        )
        text = f"{name} ({details})" if details else name
        lines.append(f"  {moment}  {canvas.fit(text, canvas.width - 20)}".rstrip())
    return "\n".join(lines)


def render_intents(prediction: IntentPrediction, canvas: Canvas | None = None, limit: int = 5) -> str:
    """Each intent's best labels with percentages, then the attention each intent gets.

    Args:
        prediction: From `client.intent`.
        canvas: Default: 80 columns of Unicode.
        limit: How many labels to show for each intent.
    """
    canvas = canvas or Canvas()
    weights = [ScoredLabel(name, weight) for name, weight in prediction.attention.items()]
    blocks: list[tuple[str, Sequence[ScoredLabel]]] = [
        *((f"Intent {name}:", labels[:limit]) for name, labels in prediction.intents.items()),
    ]
    if weights:
        blocks.append(("Attention (how much each intent counts):", sorted(weights, key=lambda entry: -entry.score)))
    name_width = _name_width(canvas, [_name(entry) for _, entries in blocks for entry in entries], _PERCENT_ROOM)
    texts = []
    for heading, entries in blocks:
        lines = [_percent_line(canvas, entry, name_width) for entry in entries]
        texts.append("\n".join([canvas.text(heading), *(lines or ["  no labels"])]))
    return "\n\n".join(texts)


def render_recommendations(
    recommendations: Recommendations,
    titles: Mapping[str, str] | None = None,
    canvas: Canvas | None = None,
) -> str:
    """The recommended items, numbered, with titles where known, and bars relative to the best score.

    Args:
        recommendations: From `client.recommend`.
        titles: Title by item id.
        canvas: Default: 80 columns of Unicode.
    """
    canvas = canvas or Canvas()
    items = recommendations.items
    if not items:
        return "Recommended: nothing, the model has no item left for this user"
    names = []
    for item in items:
        title = (titles or {}).get(item.item_id)
        names.append(f"{title} [{item.item_id}]" if title else item.item_id)
    digits = len(str(len(items)))
    room = 2 + digits + 2 + 2 + 2 + 10  # margin, number, ". ", two gaps, score
    name_width = _name_width(canvas, names, room)
    bar_width = min(canvas.width - name_width - room, _MAX_BAR)
    shares = _relative([item.score for item in items])
    lines = ["Recommended:"]
    for number, (item, name, share) in enumerate(zip(items, names, shares, strict=True), start=1):
        bar = canvas.bar(share, bar_width)
        lines.append(f"  {number:>{digits}}. {canvas.fit(name, name_width)}  {bar}  {item.score:>#10.4g}")
    return "\n".join(lines)


def columns_of(text: str) -> int:
    """How many columns a terminal needs for `text`: two for wide characters, none for combining marks."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _percent_line(canvas: Canvas, entry: ScoredLabel, name_width: int) -> str:
    bar_width = min(canvas.width - name_width - _PERCENT_ROOM, _MAX_BAR)
    bar = canvas.bar(entry.score, bar_width)
    return f"  {canvas.fit(_name(entry), name_width)}  {bar}  {100 * entry.score:>5.1f}%"


def _name(entry: ScoredLabel) -> str:
    return entry.label or "(none)"


def _name_width(canvas: Canvas, names: Sequence[str], taken: int) -> int:
    """Room for the longest name, but at least a third of the free columns for the bar."""
    longest = max((columns_of(canvas.text(name)) for name in names), default=1)
    return max(1, min(longest, 2 * (canvas.width - taken) // 3))


def _relative(scores: Sequence[float]) -> list[float]:
    """Scores as shares of the best one; shifted first when some are negative."""
    lowest, highest = min(scores), max(scores)
    base = 0.0 if lowest >= 0 else lowest - 0.1 * (highest - lowest)
    span = highest - base
    return [(score - base) / span if span > 0 else 1.0 for score in scores]


def _as_dict(event: Any) -> dict[str, Any]:
    if isinstance(event, Mapping):
        return dict(event)
    return {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _detail(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "|".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
