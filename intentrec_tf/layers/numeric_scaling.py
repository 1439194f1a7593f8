"""Numbers as the model reads them: in [0, 1], with a flag where there is none."""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class NumericScaling(tf.keras.layers.Layer):
    """``clip((x - minimum) / (maximum - minimum), 0, 1)`` and a second channel that is 1 where x is missing (NaN).

    Computed in float32 under every precision policy: bfloat16 cannot tell the year 1990 from 1993.

    Args:
        minimum, maximum: range seen in training.

    Call argument: float [...].  Returns: float32 [..., 2], never NaN.
    """

    def __init__(self, minimum: float, maximum: float, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.minimum = float(minimum)
        self.maximum = float(maximum)

    def call(self, inputs):
        inputs = tf.cast(inputs, tf.float32)
        missing = tf.math.is_nan(inputs)
        span = max(self.maximum - self.minimum, 1e-12)
        scaled = tf.clip_by_value((tf.where(missing, self.minimum, inputs) - self.minimum) / span, 0.0, 1.0)
        return tf.stack([scaled, tf.cast(missing, inputs.dtype)], axis=-1)

    def get_config(self):
        return {**super().get_config(), "minimum": self.minimum, "maximum": self.maximum}
