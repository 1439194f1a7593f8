"""What a page shows beside the model's answers: titles and labels of items, rows for intents, example users."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from serving.client.errors import InvalidInputError, shown
from serving.web.row_rule import RowRule

FORMAT = 1
_KINDS = ("categorical", "multi_label", "numeric")


@dataclass(frozen=True)
class Item:
    """One title.

    Attributes:
        item_id: As the model knows it.
        title: For people.
        labels: By feature, e.g. `{"genres": ("Drama",)}`.
    """

    item_id: str
    title: str
    labels: Mapping[str, tuple[str, ...]]

    def all_labels(self) -> list[str]:
        """The labels of all features."""
        return [label for labels in self.labels.values() for label in labels]


@dataclass(frozen=True)
class Column:
    """One column of an event that people may fill in.

    Attributes:
        name: As the model calls it.
        kind: `categorical`, `multi_label` or `numeric`.
        values: What to choose from; empty where anything goes.
        usual: What a new event gets; None leaves it out.
    """

    name: str
    kind: str
    values: tuple[str, ...] = ()
    usual: str | float | None = None


@dataclass(frozen=True)
class Catalogue:
    """A catalogue file, read and checked; `intentrec export` and `intentrec catalogue` write such files.

    Attributes:
        name: Of the data set.
        items: By id, the best known first.
        rows: What intents ask for.
        columns: Of events, beside `item_id` and `timestamp`.
        topics: What users can declare interest in.
        users: Histories of example users by id.
        moment: Unix seconds that the page takes for now; None for the true time.
    """

    name: str
    items: Mapping[str, Item]
    rows: tuple[RowRule, ...] = ()
    columns: tuple[Column, ...] = ()
    topics: tuple[str, ...] = ()
    users: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    moment: int | None = None

    @classmethod
    def read(cls, path: Path) -> Catalogue:
        """Read a file.

        Raises:
            InvalidInputError: it cannot be read, or holds something else.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidInputError(f"{path} cannot be read ({error.strerror}), so check --catalogue.") from None
        except (ValueError, RecursionError):
            raise InvalidInputError(f"{path} is no JSON text, so write it with `intentrec catalogue`.") from None
        return cls.parse(str(path), content)

    @classmethod
    def parse(cls, where: str, content: Any) -> Catalogue:
        """Check a file's content; `where` names it in errors.

        Raises:
            InvalidInputError: it is no catalogue, or one of another version.
        """
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise InvalidInputError(
                f"{where} is no catalogue of format {FORMAT}, so write it with `intentrec catalogue` of this version."
            )
        moment = content.get("moment")
        if moment is not None and (not isinstance(moment, int) or moment < 0):
            raise InvalidInputError(f"'moment' of {where} is {shown(moment)}, so write unix seconds or leave it out.")
        items = (_item(f"item {n} of {where}", e) for n, e in enumerate(_listed(where, content, "items")))
        return cls(
            name=str(content.get("name") or "items"),
            items={item.item_id: item for item in items},
            rows=tuple(RowRule.parse(f"row {n} of {where}", e) for n, e in enumerate(_listed(where, content, "rows"))),
            columns=tuple(
                _column(f"event column {n} of {where}", e) for n, e in enumerate(_listed(where, content, "columns"))
            ),
            topics=_texts(f"'topics' of {where}", content.get("topics", [])),
            users=dict(_user(f"user {n} of {where}", e) for n, e in enumerate(_listed(where, content, "users"))),
            moment=moment,
        )

    def title(self, item_id: str) -> str:
        """For people; the id itself where the file does not know the item."""
        item = self.items.get(item_id)
        return item.title if item else item_id

    def labels(self, item_id: str, feature: str) -> tuple[str, ...]:
        """An item's labels of a feature; none where the file does not know the item."""
        item = self.items.get(item_id)
        return item.labels.get(feature, ()) if item else ()

    def search(self, text: str, limit: int) -> list[Item]:
        """Items whose title, id or label holds every word of `text`, the best known first."""
        words = _plain(text).split()
        found = (item for item, haystack in self._haystacks if all(word in haystack for word in words))
        return list(islice(found, limit))

    def of_label(self, feature: str, label: str, limit: int) -> list[str]:
        """Ids of items with a label, the best known first."""
        ids = (item.item_id for item in self.items.values() if label in item.labels.get(feature, ()))
        return list(islice(ids, limit))

    @cached_property
    def label_counts(self) -> Counter[str]:
        """How many items have each label."""
        return Counter(label for item in self.items.values() for label in item.all_labels())

    @cached_property
    def _haystacks(self) -> list[tuple[Item, str]]:
        return [
            (item, _plain(" ".join([item.title, item.item_id, *item.all_labels()]))) for item in self.items.values()
        ]


def _plain(text: str) -> str:
    """Lower case without accents, so that `amelie` finds `Amélie`."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def _listed(where: str, content: dict[str, Any], key: str) -> list[Any]:
    found = content.get(key, [])
    if not isinstance(found, list) or (key == "items" and not found):
        raise InvalidInputError(f"{key!r} of {where} is {shown(found)}, so write a list.")
    return found


def _texts(where: str, found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise InvalidInputError(f"{where} is {shown(found)}, so write a list of texts.")
    return tuple(found)


def _item(where: str, entry: Any) -> Item:
    match entry:
        case {"id": str(item_id), **rest} if item_id:
            title, labels = rest.get("title", item_id), rest.get("labels", {})
            if isinstance(title, str) and isinstance(labels, dict):
                checked = {str(name): _texts(f"{name!r} of {where}", texts) for name, texts in labels.items()}
                return Item(item_id, title or item_id, checked)
    raise InvalidInputError(f"{where} is {shown(entry)}, so write an object with 'id', 'title' and 'labels'.")


def _column(where: str, entry: Any) -> Column:
    match entry:
        case {"name": str(name), "kind": str(kind), **rest} if kind in _KINDS:
            usual = rest.get("usual")
            if usual is None or isinstance(usual, (str, int, float)):
                return Column(name, kind, _texts(f"'values' of {where}", rest.get("values", [])), usual)
    raise InvalidInputError(f"{where} is {shown(entry)}, so write an object with 'name' and 'kind'.")


def _user(where: str, entry: Any) -> tuple[str, list[dict[str, Any]]]:
    match entry:
        case {"id": str(user), "history": list(history)} if all(
            isinstance(event, dict)
            and isinstance(event.get("item_id"), str)
            and isinstance(event.get("timestamp"), int)
            for event in history
        ):
            return user, history
    raise InvalidInputError(f"{where} is {shown(entry)}, so write an object with 'id' and 'history', a list of events.")
