"""A recurrent network over rows that hold several users one after another."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.layers.segments import previous_in_segment

CELLS = {"GRU": tf.keras.layers.GRUCell, "LSTM": tf.keras.layers.LSTMCell}


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class SegmentRNN(tf.keras.layers.Layer):
    """Keras' GRU or LSTM cell whose state is zero again wherever another user (or padding) begins.

    Args:
        dim: units.
        cell: ``"GRU"`` or ``"LSTM"``.

    Call arguments: ``inputs`` float [batch, seq, any], ``segment`` int32 [batch, seq].
    Returns: float [batch, seq, dim].

    Source: Cho et al. 2014 (GRU), Hochreiter and Schmidhuber 1997 (LSTM).
    """

    def __init__(self, dim: int, cell: str = "GRU", **kwargs):
        super().__init__(**kwargs)
        if cell not in CELLS:
            raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {cell!r}")
        self.dim = dim
        self.cell = cell

    def build(self, input_shape):
        self.rnn = tf.keras.layers.RNN(_ResettingCell(CELLS[self.cell](self.dim)), return_sequences=True, name="rnn")
        shape = tf.TensorShape(input_shape)
        self.rnn.build((shape, shape[:-1].concatenate(1)))
        super().build(input_shape)

    def call(self, inputs, segment):
        _, known = previous_in_segment(segment, segment)
        return self.rnn((inputs, tf.cast(known, inputs.dtype)[..., None]))

    def get_config(self):
        return {**super().get_config(), "dim": self.dim, "cell": self.cell}


class _ResettingCell(tf.keras.layers.Layer):
    """A cell on pairs (input [batch, any], keep [batch, 1]): where ``keep`` is 0 it forgets what was."""

    def __init__(self, cell: tf.keras.layers.Layer, **kwargs):
        super().__init__(**kwargs)
        self.cell = cell
        self.state_size, self.output_size = cell.state_size, cell.output_size

    def build(self, input_shape):
        self.cell.build(input_shape[0])
        super().build(input_shape)

    def call(self, inputs, states):
        values, keep = inputs
        return self.cell(values, tf.nest.map_structure(lambda state: state * keep, states))
