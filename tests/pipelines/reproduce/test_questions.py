"""V3 is trained when it is wanted, and the answers come from its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from intentrec_tf.models import build_model
from pipelines.config import RunConfig
from pipelines.prepared import PreparedData
from pipelines.reproduce.figure7 import last_events
from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.questions import ask, trained_v3
from pipelines.reproduce.runs import Places
from pipelines.run_folder import RunFolder


def test_v3_with_the_own_window_is_trained_and_answers(
    setting: Setting, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    def train(prepared: PreparedData, config: RunConfig, run: RunFolder, say: Any) -> None:
        run.begin(prepared, config)
        made.append(build_model(prepared.spec, config.model))
        made[0].save_weights(run.weights)

    monkeypatch.setattr("pipelines.train.train", train)
    system, model, prepared, config = trained_v3(setting, 5, places, lambda line: None)
    assert (system.name, config.model.variant, config.training.seed) == ("V3, 1 week", "V3", 5)
    for weight, trained in zip(model.get_weights(), made[0].get_weights(), strict=True):
        np.testing.assert_array_equal(weight, trained)
    questions = last_events(prepared, 1)
    answers = ask(model, prepared, questions)
    assert answers.attention.shape == (len(questions), len(prepared.spec.intent_labels))
    assert {len(column) for column in answers.probabilities.values()} == {len(questions)}
