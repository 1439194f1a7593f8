"""Two towers: the mean of a user's items, and items."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import keras_inputs
from intentrec_tf.layers import RandomOOV, SegmentPool
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.models.parts import item_embedding, tower


class TwoTower(NextItemModel):
    """User tower: the mean of the history's item vectors and the newest one, through an MLP; item tower: item vectors.

    The control for popularity: cosine similarity and no item bias, so neither a number per item nor the length of its
    vector can say that it is popular.  Always tied.  Items have their catalogue features; no times, no event features,
    no order but which item is the newest, no intents.

    Args:
        spec: what the data set is.
        config: what the model is; of ``similarity`` and ``tied`` nothing is read, nor of encoders and intents.

    Source: Covington et al. 2016 (mean of the history), Yi et al. 2019 (normalised towers with a temperature).
    """

    def __init__(self, spec: DataSpec, config: ModelConfig, **kwargs: Any) -> None:
        inputs = keras_inputs(spec)
        config = config.model_copy(update={"similarity": "cosine", "tied": True})

        # --- layers
        embedding = item_embedding(spec, config)
        mean = SegmentPool("mean", name="mean")

        # --- functional graph
        x = embedding(RandomOOV(config.random_oov, name="random_oov")(inputs["item_id"]))
        x = tf.keras.layers.Concatenate(name="user")([mean(x, segment=inputs["segment"]), x])
        outputs = {"intents": {}, "probabilities": {}, "state": tower(config, x, "user")}

        name = kwargs.pop("name", "two_tower")
        super().__init__(spec, config, inputs, outputs, embedding, item_bias=False, name=name, **kwargs)
