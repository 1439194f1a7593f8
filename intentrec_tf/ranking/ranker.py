"""What every ranker has in common: the loss, the training step."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.layers import ItemEmbedding
from intentrec_tf.losses import sampled_listwise_loss
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.ranking.config import RankingConfig
from intentrec_tf.replicas import mean_of_parts


class Ranker(tf.keras.Model):
    """A functional graph over :func:`ranking_inputs` whose output are scores float32 [batch, C] of the candidates.

    A candidate's score depends on no other candidate; what is no item (rows 0 and 1) has -1e9.

    Training batches are ``(inputs, targets)`` with the true item as the first candidate; ``targets["log_expected"]``
    float32 [batch, C] says how often each of the others was expected in the sample, see :func:`sampled_listwise_loss`,
    and ``targets["weight"]`` float32 [batch] counts the question.

    Args:
        spec: what the data set is.
        config: what the ranker is.
        base: of the IntentRec model whose features it reads and whose sizes it has.
        inputs, outputs: of the graph.
        embedding: the layer that embeds candidates and the history's items.
    """

    def __init__(
        self,
        spec: DataSpec,
        config: RankingConfig,
        base: ModelConfig,
        inputs: dict[str, Any],
        outputs: tf.Tensor,
        embedding: ItemEmbedding,
        **kwargs: Any,
    ) -> None:
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self.spec = spec
        self.config = config
        self.base = base
        self.item_embedding = embedding
        self.item_embedding.set_catalogue(spec.catalogue, spec.item_prior)
        self._means = {"loss": tf.keras.metrics.Mean(name="loss")}

    def start_from(self, model: NextItemModel) -> None:
        """Take over the item vectors of the IntentRec model, if they are of the same form; they are trained on."""
        own, other = self.item_embedding, model.item_embedding
        if own.get_config() == other.get_config():
            own.set_weights(other.get_weights())

    def train_step(self, data):
        inputs, targets = data
        with tf.GradientTape() as tape:
            loss = self.ranking_loss(inputs, targets, training=True)
        gradients = tape.gradient(loss, self.trainable_variables)
        pairs = zip(gradients, self.trainable_variables, strict=True)
        self.optimizer.apply_gradients([(g, v) for g, v in pairs if g is not None])
        return self._record(loss)

    def test_step(self, data):
        return self._record(self.ranking_loss(*data, training=False))

    def ranking_loss(self, inputs: dict, targets: dict, training: bool) -> tf.Tensor:
        """Weighted mean over the questions of a batch, scalar float32."""
        scores = self(inputs, training=training)
        return sampled_listwise_loss(scores, targets["log_expected"], targets["weight"])

    def _record(self, loss: tf.Tensor) -> dict[str, tf.Tensor]:
        self._means["loss"].update_state(mean_of_parts(loss))
        return {"loss": self._means["loss"].result()}

    @property
    def metrics(self):
        return list(self._means.values())
