"""From predicted intents to one intent vector, and which intent mattered."""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class IntentAggregation(tf.keras.layers.Layer):
    """``a_i = FC_att(Proj_i(p_i)); w = softmax_i(a); Z = sum_i w_i Proj_i(p_i)``.

    ``FC_att`` (dim -> 1) is shared by all intents.  Z is built from the predicted *probabilities*, not from the
    encoder's state, and nothing stops the gradient: the item loss trains the intent predictor through Z.

    Args:
        dim: dimension of Z.

    Call argument: list of M float tensors [..., d_i] of probabilities, always in the same order.
    Returns: Z float [..., dim] and the weights w float [..., M], which sum to 1.

    Source: IntentRec, arXiv 2408.05353, Eq 2.
    """

    def __init__(self, dim: int, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim

    def build(self, input_shape):
        self.projections = []
        for i, shape in enumerate(input_shape):
            self.projections.append(tf.keras.layers.Dense(self.dim, name=f"projection_{i}"))
            self.projections[i].build(shape)
        self.attention = tf.keras.layers.Dense(1, name="attention")
        self.attention.build((*input_shape[0][:-1], self.dim))
        super().build(input_shape)

    def call(self, probabilities):
        pairs = zip(self.projections, probabilities, strict=True)
        projected = tf.stack([project(p) for project, p in pairs], axis=-2)
        weights = tf.nn.softmax(self.attention(projected)[..., 0], axis=-1)
        return tf.reduce_sum(weights[..., None] * projected, axis=-2), weights

    def get_config(self):
        return {**super().get_config(), "dim": self.dim}
