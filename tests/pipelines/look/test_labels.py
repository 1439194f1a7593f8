"""Labels of items are counted right, whatever the size of the pieces."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipelines.look.labels import Diversity, Labels, Touched


def labels_of(*texts: str | None, kind: str = "multi_label", more: tuple[str, ...] = ()) -> Labels:
    return Labels.of(pd.Series(texts, dtype="str"), kind, more)


def as_sets(labels: Labels) -> list[set[str]]:
    return [
        {labels.names[code] for code in labels.flat[a:b]}
        for a, b in zip(labels.starts, labels.starts[1:], strict=False)
    ]


def test_labels_of_items() -> None:
    labels = labels_of("b|a", "", None, " a | a |", "c", more=("z", "a"))
    assert as_sets(labels) == [{"a", "b"}, set(), set(), {"a"}, {"c"}]
    assert labels.widths.tolist() == [2, 0, 0, 1, 1]
    assert sorted(labels.names) == ["a", "b", "c", "z"]


def test_a_categorical_value_is_one_label_with_all_its_letters() -> None:
    assert as_sets(labels_of("a|b", "", "c", kind="categorical")) == [{"a|b"}, set(), {"c"}]


def test_no_label_at_all() -> None:
    labels = labels_of("", None)
    assert labels.names == ()
    place, label = labels.of_items(np.array([0, 1, 0]))
    assert len(place) == len(label) == 0
    touched = Touched.of(np.array([0, 1]), np.array([0, 1]), labels)
    assert len(touched.user) == 0
    assert len(Diversity.of(touched).user) == 0


def test_of_items_in_the_order_asked() -> None:
    labels = labels_of("a|b", "", "c")
    place, label = labels.of_items(np.array([2, 1, 0, 2]))
    assert place.tolist() == [0, 2, 2, 3]
    assert [labels.names[code] for code in label] == ["c", "a", "b", "c"]


def test_touched_counts_events_and_splits_them() -> None:
    labels = labels_of("a|b", "a", "")
    touched = Touched.of(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 2]), labels)
    rows = list(
        zip(touched.user, [labels.names[i] for i in touched.label], touched.events, touched.weight, strict=True)
    )
    assert rows == [(0, "a", 3, 2.0), (0, "b", 2, 1.0)]


@pytest.mark.parametrize("chunk", [1, 7, 100, 10_000])
def test_pieces_make_no_difference(chunk: int) -> None:
    rng = np.random.default_rng(0)
    texts = ["|".join(rng.choice(list("abcdef"), rng.integers(0, 4), replace=False)) for _ in range(20)]
    user, item = np.sort(rng.integers(0, 30, 500)), rng.integers(0, 20, 500)
    whole, pieces = (Touched.of(user, item, labels_of(*texts), size) for size in (1_000, chunk))
    for name in ("user", "label", "events"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name))
    np.testing.assert_allclose(whole.weight, pieces.weight)
    expected = sum(bool(texts[i]) for i in item)
    assert whole.weight.sum() == pytest.approx(expected)  # every labelled event counts once


def test_diversity_is_the_number_of_equally_frequent_labels() -> None:
    labels = labels_of("a", "b", "c", "d", "a|b|c|d")
    user = np.array([0] * 4 + [2] * 3 + [5] + [7] * 4)
    item = np.array([0, 1, 2, 3] + [0] * 3 + [4] + [0, 0, 0, 1])
    found = Diversity.of(Touched.of(user, item, labels))
    assert found.user.tolist() == [0, 2, 5, 7]
    assert found.distinct.tolist() == [4, 1, 4, 2]
    np.testing.assert_allclose(found.effective[:3], [4, 1, 4])
    assert found.entropy[1] == 0.0
    assert np.log(1.5) < found.entropy[3] == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))
