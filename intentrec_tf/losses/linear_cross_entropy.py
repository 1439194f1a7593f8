"""Cross-entropy over all items without ever holding all logits."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.masking import NEVER
from intentrec_tf.replicas import sum_over_replicas

CHUNK = 512


def linear_cross_entropy(
    query: tf.Tensor,
    vectors: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    mixture: tuple[tf.Tensor, tf.Tensor] | None = None,
    chunk: int = CHUNK,
) -> tf.Tensor:
    """``weighted_cross_entropy(query @ vectors' + bias, targets, weights)``, faster and in little memory.

    A chunk of positions at a time: its logits, their softmax, and at once the three gradients, so logits live only
    until the next chunk and are computed once, where automatic differentiation keeps [positions, V] twice.
    Positions without weight or target are left out, whole chunks of them at no cost.

    Args:
        query: float [..., dim].
        vectors: float [V, dim].
        bias: float [V]; -1e9 forbids a row.
        targets: int32 [...]; a negative target carries no label and no weight.
        weights: float [...]; 0 removes the position.
        mixture: ``(log a, log b)``, float [...] each: the target's probability is ``a * softmax + b``, where ``b`` is
            what another source gives it; None means ``a = 1, b = 0``.
        chunk: positions at a time; memory is ``2 * chunk * V`` floats and the vectors' gradient.

    Returns:
        Scalar float32, 0 where there is no position with a weight; of several replicas each its part, as
        :func:`weighted_cross_entropy` does.
    """
    dim = query.shape[-1]
    query = tf.reshape(tf.cast(query, tf.float32), [-1, dim])
    targets, weights = tf.reshape(targets, [-1]), tf.reshape(tf.cast(weights, tf.float32), [-1])
    labelled = (targets >= 0) & (weights > 0)
    weights = tf.where(labelled, weights, 0.0)
    shares = tf.math.divide_no_nan(weights, sum_over_replicas(tf.reduce_sum(weights)))
    order = tf.argsort(tf.cast(labelled, tf.int32), direction="DESCENDING", stable=True)
    places = -tf.shape(order)[0] % chunk
    order = tf.pad(order, [[0, places]])
    kept = tf.range(tf.shape(order)[0]) < tf.reduce_sum(tf.cast(labelled, tf.int32))
    if mixture is not None:
        mixture = tuple(tf.where(kept, tf.gather(tf.reshape(m, [-1]), order), 0.0) for m in mixture)
    return _chunked(
        tf.where(kept[:, None], tf.gather(query, order), 0.0),
        tf.cast(vectors, tf.float32),
        tf.cast(bias, tf.float32),
        tf.where(kept, tf.gather(targets, order), 0),
        tf.where(kept, tf.gather(shares, order), 0.0),
        tf.reduce_sum(tf.cast(kept, tf.int32)),
        *(mixture or (tf.zeros([1]), tf.fill([1], NEVER))),
        chunk=chunk,
        mixed=mixture is not None,
    )


def _chunked(
    query: tf.Tensor,
    vectors: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    shares: tf.Tensor,
    count: tf.Tensor,
    log_a: tf.Tensor,
    log_b: tf.Tensor,
    chunk: int,
    mixed: bool,
) -> tf.Tensor:
    """``sum_n shares_n * -log(a_n softmax(query_n @ vectors' + bias)[targets_n] + b_n)``.

    Over the first ``count`` positions, which are a multiple of ``chunk``.
    """

    @tf.custom_gradient
    def loss_of(query: tf.Tensor, vectors: tf.Tensor, bias: tf.Tensor, log_a: tf.Tensor, log_b: tf.Tensor):
        size, dim = tf.shape(vectors)[0], vectors.shape[-1]
        queries = tf.reshape(query, [-1, chunk, dim])
        portions = tf.reshape(shares, [-1, chunk])
        chosen = tf.gather(vectors, targets)
        true = tf.reduce_sum(query * chosen, axis=-1) + tf.gather(bias, targets)
        ahead = tf.reshape(true + log_a - log_b, [-1, chunk])  # log(a e^logit / b)

        def step(i, normalisers, d_query, d_vectors, d_bias):
            q = queries[i]
            logits = tf.matmul(q, vectors, transpose_b=True) + bias
            largest = tf.reduce_max(logits, axis=-1, keepdims=True)
            exponentials = tf.exp(logits - largest)
            total = tf.reduce_sum(exponentials, axis=-1, keepdims=True)
            normaliser = tf.math.log(total) + largest
            portion = portions[i][:, None]
            if mixed:
                portion *= tf.sigmoid(ahead[i][:, None] - normaliser)  # the softmax's part of the probability
            scale = portion / total
            # the softmax is `exponentials / total`; scaling the narrow side of each product spares a pass over it
            normalisers = tf.tensor_scatter_nd_update(normalisers, [[i]], normaliser[None, :, 0])
            d_query = tf.tensor_scatter_nd_update(d_query, [[i]], (tf.matmul(exponentials, vectors) * scale)[None])
            d_vectors += tf.matmul(q * scale, exponentials, transpose_a=True)
            return i + 1, normalisers, d_query, d_vectors, d_bias + tf.matmul(scale, exponentials, transpose_a=True)

        start = (0, tf.zeros_like(portions), tf.zeros_like(queries), tf.zeros([dim, size]), tf.zeros([1, size]))
        _, normalisers, d_query, d_vectors, d_bias = tf.while_loop(
            lambda i, *_: i * chunk < count, step, start, parallel_iterations=1
        )
        losses, narrow = tf.reshape(normalisers, [-1]) - true, shares
        if mixed:
            part = tf.sigmoid(log_a - log_b - losses)
            losses, narrow = -tf.math.reduce_logsumexp([log_a - losses, log_b], axis=0), shares * part

        def gradient(upstream: tf.Tensor):
            to_query = tf.reshape(d_query, [-1, dim]) - narrow[:, None] * chosen
            to_vectors = tf.transpose(d_vectors) - tf.math.unsorted_segment_sum(narrow[:, None] * query, targets, size)
            to_bias = d_bias[0] - tf.math.unsorted_segment_sum(narrow, targets, size)
            to_mixture = (-narrow, narrow - shares) if mixed else (tf.zeros_like(log_a), tf.zeros_like(log_b))
            return tuple(upstream * g for g in (to_query, to_vectors, to_bias, *to_mixture))

        return tf.reduce_sum(shares * losses), gradient

    return loss_of(query, vectors, bias, log_a, log_b)
