"""Which row of the page an intent's label asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serving.client.errors import InvalidInputError, shown

# What a row shows: items of the history met lately or longer ago; items the history lacks, all of them or by their
# labels; or, with one row for each label, the items that have it.
KINDS = ("resume", "return", "new", "familiar", "different", "label")
_BY_LABELS = ("familiar", "different", "label")


@dataclass(frozen=True)
class RowRule:
    """One line of a catalogue's `rows`.

    Attributes:
        intent: Name of the intent whose probability places the row.
        show: One of `KINDS`.
        label: The intent's label that asks for this row; `""` for `label`, which makes a row of each.
        title: The row's heading; of `label` rows the label itself is the heading.
        feature: The item feature that `familiar`, `different` and `label` compare; `""` otherwise.
        within: Seconds after which `resume` becomes `return`.
    """

    intent: str
    show: str
    label: str = ""
    title: str = ""
    feature: str = ""
    within: int = 86_400

    @classmethod
    def parse(cls, where: str, entry: Any) -> RowRule:
        """Check one entry of the file; `where` names it in errors.

        Raises:
            InvalidInputError: a key is unknown, missing or of another type.
        """
        known = cls.__dataclass_fields__
        if not isinstance(entry, dict) or not {"intent", "show"} <= set(entry) <= set(known):
            raise InvalidInputError(
                f"{where} is {shown(entry)}, so write an object with 'intent', 'show' and maybe "
                f"{', '.join(map(repr, list(known)[2:]))}."
            )
        for key, value in entry.items():
            if not isinstance(value, int if key == "within" else str) or isinstance(value, bool):
                raise InvalidInputError(
                    f"{key!r} of {where} is {shown(value)}, so write text, or seconds for 'within'."
                )
        rule = cls(**entry)
        if rule.show not in KINDS:
            raise InvalidInputError(f"'show' of {where} is {rule.show!r}, so write one of {', '.join(KINDS)}.")
        if rule.show in _BY_LABELS and not rule.feature:
            raise InvalidInputError(f"{where} shows {rule.show!r} items, so name the item 'feature' that decides.")
        if rule.show != "label" and not (rule.label and rule.title):
            raise InvalidInputError(f"{where} lacks a 'label' or a 'title', so add it.")
        return rule
