"""Positional encoding from when things happened instead of how many things happened."""

import tensorflow as tf

from intentrec_tf.layers.lookup import look_up
from intentrec_tf.layers.segments import position_in_segment, previous_in_segment

_HOUR, _DAY = 3600, 86_400
GAP_BUCKETS = 40


def gap_bucket(seconds: tf.Tensor) -> tf.Tensor:
    """Log-scale bucket of a time gap: 1 for 0 s (or a negative gap), then one per doubling; int32.

    Row 0 is left to "no such gap".  32 doublings reach 136 years.  Counted in whole numbers: a float32
    logarithm puts 8191 s into one bucket or the next, depending on whether XLA compiled it (training) or not (serving).
    """
    powers = tf.constant([2**k for k in range(GAP_BUCKETS - 2)], tf.int64)
    return 1 + tf.reduce_sum(tf.cast(seconds[..., None] >= powers, tf.int32), axis=-1)


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class TimestampEmbedding(tf.keras.layers.Layer):
    """Sum of learned tables over the parts of an event's time, to be added to the event's representation.

    ``encoding="timestamp"``: hour of day, day of week (both UTC), log-bucketed gap to the previous event, and a
    projected sinusoid of ``log(1 + seconds since the user's first event in the row)``.  With ``request_time`` also
    the log-bucketed gap to the next event (at serving: to now), and hour and day of that moment.
    ``encoding="position"``: a learned table over the position instead (the request time parts stay).

    The design note proposes the age relative to the *newest* event; that would let a later event change an earlier
    step (the newest event moves), so the age is counted from the first event, which the past alone determines.

    Args:
        encoding: ``"timestamp"`` or ``"position"``.
        request_time: whether ``next_timestamp`` is used.
        max_positions: rows of the position table; later positions share the last row.
        dim: output dimension.

    Call arguments: ``timestamp`` int64 [batch, seq] unix seconds, ``segment`` int32 [batch, seq],
        ``next_timestamp`` int64 [batch, seq] or None.
    Returns: float [batch, seq, dim].

    Source: IntentRec (arXiv 2408.05353) encodes positions by timestamps without giving the form; the form is ours.
    """

    def __init__(self, dim, encoding="timestamp", request_time=False, max_positions=512, **kwargs):
        super().__init__(**kwargs)
        if encoding not in ("timestamp", "position"):
            raise ValueError(f"encoding must be 'timestamp' or 'position', got {encoding!r}")
        self.dim = dim
        self.encoding = encoding
        self.request_time = request_time
        self.max_positions = max_positions

    def build(self, input_shape):
        rows = {"hour": 24, "day": 7, "gap": GAP_BUCKETS} if self.encoding == "timestamp" else {}
        if self.encoding == "position":
            rows["position"] = self.max_positions
        if self.request_time:
            rows |= {"request_gap": GAP_BUCKETS, "request_hour": 24, "request_day": 7}
        self.tables = {
            name: self.add_weight(
                name=name, shape=(count, self.dim), initializer=tf.keras.initializers.RandomNormal(0, 0.02)
            )
            for name, count in rows.items()
        }
        if self.encoding == "timestamp":
            self.age = self.add_weight(
                name="age", shape=(2 * len(self._frequencies()), self.dim), initializer="glorot_uniform"
            )
        super().build(input_shape)

    def call(self, timestamp, segment, next_timestamp=None):
        parts = {}
        position = position_in_segment(segment)
        if self.encoding == "position":
            parts["position"] = tf.minimum(position, self.max_positions - 1)
        else:
            previous, known = previous_in_segment(timestamp, segment)
            parts["gap"] = tf.where(known, gap_bucket(timestamp - previous), 0)
            parts["hour"], parts["day"] = _clock(timestamp)
        if self.request_time:
            parts["request_gap"] = tf.where(next_timestamp > 0, gap_bucket(next_timestamp - timestamp), 0)
            parts["request_hour"], parts["request_day"] = _clock(next_timestamp)
        encoded = tf.add_n([look_up(self.tables[name], rows) for name, rows in parts.items()])
        if self.encoding == "timestamp":
            first = tf.gather(timestamp, tf.range(tf.shape(segment)[1])[None] - position, batch_dims=1)
            encoded += tf.cast(self._sinusoid(timestamp - first), encoded.dtype) @ self.age
        return encoded

    @staticmethod
    def _frequencies():
        return [0.25 * 2**k for k in range(6)]

    def _sinusoid(self, age):
        log_age = tf.math.log1p(tf.cast(tf.maximum(age, tf.zeros_like(age)), tf.float32))
        angles = log_age[..., None] * tf.constant(self._frequencies(), tf.float32)
        return tf.concat([tf.sin(angles), tf.cos(angles)], axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "dim": self.dim,
            "encoding": self.encoding,
            "request_time": self.request_time,
            "max_positions": self.max_positions,
        }


def _clock(timestamp: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Hour of day 0..23 and day of week 0..6 (Monday 0), UTC, int32; 1970-01-01 was a Thursday."""
    hour = tf.cast(timestamp // _HOUR % 24, tf.int32)
    day = tf.cast((timestamp // _DAY + 3) % 7, tf.int32)
    return hour, day
