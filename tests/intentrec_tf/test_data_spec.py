"""The specification of a prepared data set."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from intentrec_tf.data_spec import DataSpec


def test_feature_sizes(spec: DataSpec) -> None:
    sizes = {f.name: spec.feature_size(f) for f in (*spec.schema.event_features, *spec.schema.item_features)}
    assert sizes == {"action": 5, "tags": 6, "seconds": 0, "form": 4, "genre": 5, "year": 0}


def test_item_label_matrix(spec: DataSpec) -> None:
    mood = spec.schema.intents[5]
    catalogue = {**spec.catalogue, "genre": spec.catalogue["genre"].copy()}
    catalogue["genre"][2:5] = [[2, 4], [1, 3], [0, 0]]  # two labels; an unknown one beside a known one; none
    matrix = dataclasses.replace(spec, catalogue=catalogue).item_label_matrix(mood)
    assert matrix.shape == (14, 3)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix[:5], [[0, 0, 0], [0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]])


def test_catalogue_must_have_one_row_per_item(spec: DataSpec) -> None:
    with pytest.raises(ValueError, match="'year' does not have one row per item"):
        dataclasses.replace(spec, catalogue={**spec.catalogue, "year": spec.catalogue["year"][:-1]})


def test_an_intent_needs_two_labels(spec: DataSpec) -> None:
    with pytest.raises(ValueError, match="'what' has fewer than two labels"):
        dataclasses.replace(spec, intent_labels={**spec.intent_labels, "what": ("play",)})
