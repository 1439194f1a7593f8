"""Where the time of a training step goes, beside what the machine could do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from intentrec_tf.layers import AttentionMask, SelfAttention, TransformerEncoder
from intentrec_tf.layers.self_attention import TILE
from intentrec_tf.losses import linear_cross_entropy
from intentrec_tf.models import build_model
from pipelines.benchmark.measure import median_seconds, peak_gflops
from pipelines.benchmark.synthetic import synthetic_batch, synthetic_spec
from pipelines.config import RunConfig
from pipelines.train import optimizer_of

FORWARD_AND_BACKWARD = 3  # a matrix product's gradients are two more of its size


def components(items: int, config: RunConfig) -> dict[str, Any]:
    """Milliseconds, GFLOP/s and share of the machine's matrix-product peak, of a SASRec step and of its parts.

    Each part runs alone, forward and backward, compiled, on a full batch.  Work counts the matrix products only.

    Args:
        items: in the catalogue.
        config: of a SASRec model.
    """
    model_config, training = config.model, config.training
    rows, length, dim = training.rows_per_batch, training.row_length, model_config.dim
    positions = rows * length
    spec = synthetic_spec(items, length)
    inputs, targets = synthetic_batch(spec, rows, length)
    state = tf.random.normal([rows, length, dim])
    mask = AttentionMask()(inputs["segment"], timestamp=inputs["timestamp"])
    vectors = tf.random.normal([spec.items.size, dim], stddev=0.02)
    seen = sum(min(start + TILE, length) * min(TILE, length - start) for start in range(0, length, TILE)) / length
    product = FORWARD_AND_BACKWARD * 2 * positions / 1e9
    encoder = (model_config.heads, model_config.expansion, model_config.dropout, model_config.attention_dropout)

    attention = SelfAttention(model_config.heads, dropout=model_config.attention_dropout)
    blocks = TransformerEncoder(model_config.item_blocks, *encoder)
    table = tf.Variable(vectors)
    loss = _compiled(
        lambda: linear_cross_entropy(state, table, tf.zeros(spec.items.size), targets["item"], targets["weight"]),
        [table],
        state,
    )
    attending = _compiled(lambda: tf.reduce_sum(attention(state, mask, training=True)), attention, state)
    encoding = _compiled(lambda: tf.reduce_sum(blocks(state, mask, training=True)), blocks, state)
    reading = _compiled(lambda: tf.reduce_sum(tf.gather(table, inputs["item_id"]) ** 2), [table])

    model = build_model(spec, model_config)
    model.compile(optimizer=optimizer_of(training, 100), jit_compile=training.xla)
    step = model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors((inputs, targets)).repeat())

    attention_work = product * (4 * dim * dim + 2 * seen * dim)
    encoder_work = model_config.item_blocks * (attention_work + product * 2 * model_config.expansion * dim * dim)
    loss_work = product * dim * spec.items.size
    peak = peak_gflops()
    parts = {
        "softmax over all items": _part(median_seconds(loss), loss_work, peak),
        "Transformer blocks": _part(median_seconds(encoding), encoder_work, peak),
        "of these, one attention": _part(median_seconds(attending), attention_work, peak),
        "item vectors, read and gradient": _part(median_seconds(reading), 0.0, peak),
        "whole step": _part(median_seconds(lambda: step(batches)), loss_work + encoder_work, peak),
    }
    return {"peak_gflops": round(peak, 1), "positions": positions, "items": items, "parts": parts}


def _compiled(value: Callable[[], tf.Tensor], weights: Any, *watched: tf.Tensor) -> Callable[[], Any]:
    """A compiled function of no argument that computes a value and its gradients."""
    value()  # builds the layer

    @tf.function(jit_compile=True)
    def run() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(watched)
            result = value()
        variables = weights if isinstance(weights, list) else weights.trainable_weights
        gradients = tape.gradient(result, [*variables, *watched])
        return result, [tf.convert_to_tensor(gradient) for gradient in gradients]

    return run


def _part(seconds: float, gflop: float, peak: float) -> dict[str, float]:
    reached = gflop / seconds
    return {
        "ms": round(1e3 * seconds, 2),
        "gflop": round(gflop, 2),
        "gflops": round(reached, 1),
        "share_of_peak": round(reached / peak, 3),
    }
