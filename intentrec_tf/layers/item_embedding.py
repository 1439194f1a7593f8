"""Item vectors: an id embedding plus what the catalogue says of the item."""

import numpy as np
import tensorflow as tf

from intentrec_tf.layers.label_embedding import LabelEmbedding
from intentrec_tf.layers.numeric_scaling import NumericScaling

SMALL_CATALOGUE = 16_384


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class ItemEmbedding(tf.keras.layers.Layer):
    """``v_i = e_i + W concat(metadata of i)``: one vector per item, for the input and for the tied output.

    The paper concatenates id and metadata embeddings and projects them; the projection of a concatenation is the sum
    of projections, and this form also gives an *output* vector that knows the metadata.  The catalogue itself is a
    set of constants inside the layer (non-trainable weights), so callers pass item rows only.

    Args:
        vocabulary_size: V, rows of the item vocabulary, padding and OOV included.
        dim: dimension of ``v_i``.
        features: per item feature ``{"name", "kind", "size", "width", "minimum", "maximum"}`` where ``size`` is the
            label vocabulary, ``width`` the labels kept per item (multi-label).
        feature_dim: embedding dimension of each label feature before the projection.

    In training with up to 16,384 items a call computes the vectors of all (the output needs them anyway) and picks;
    with more, and where the number of rows is not known beforehand (serving, evaluation), only those asked for.

    Call argument: int32 [...] item rows.  Returns: float [..., dim]; row 0 gives zeros.
    """

    def __init__(self, vocabulary_size, dim, features=(), feature_dim=16, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.features = [dict(feature) for feature in features]
        self.feature_dim = feature_dim

    def build(self, input_shape):
        normal = tf.keras.initializers.RandomNormal(0, 0.02)
        self.ids = self.add_weight(name="ids", shape=(self.vocabulary_size, self.dim), initializer=normal)
        self.catalogue, self.encoders = {}, {}
        for feature in self.features:
            name, kind = feature["name"], feature["kind"]
            shape = (self.vocabulary_size, feature["width"]) if kind == "multi_label" else (self.vocabulary_size,)
            self.catalogue[name] = self.add_weight(
                name=f"catalogue_{name}",
                shape=shape,
                dtype="float32" if kind == "numeric" else "int32",
                initializer="zeros",
                trainable=False,
                experimental_autocast=False,
            )
            self.encoders[name] = self._encoder(feature)
            self.encoders[name].build(shape)
        if self.features:
            width = sum(2 if f["kind"] == "numeric" else self.feature_dim for f in self.features)
            self.projection = self.add_weight(name="projection", shape=(width, self.dim), initializer="glorot_uniform")
        super().build(input_shape)

    def _encoder(self, feature):
        if feature["kind"] == "numeric":
            return NumericScaling(feature["minimum"], feature["maximum"], name=feature["name"])
        multi = feature["kind"] == "multi_label"
        return LabelEmbedding(feature["size"], self.feature_dim, multi_label=multi, name=feature["name"])

    def set_catalogue(self, catalogue: dict[str, np.ndarray]) -> None:
        """Store the catalogue's arrays (see :class:`intentrec_tf.data_spec.DataSpec`); the layer must be built."""
        for name, variable in self.catalogue.items():
            variable.assign(catalogue[name])

    def item_vectors(self, start=0, stop=None):
        """Vectors of the rows ``start <= row < stop`` (default: all), float [stop - start, dim]; row 0 is zeros."""
        stop = self.vocabulary_size if stop is None else stop
        catalogue = {name: values[start:stop] for name, values in self.catalogue.items()}
        return self._vectors(self.ids[start:stop], catalogue, tf.range(start, stop))

    def call(self, rows):
        if self.vocabulary_size <= SMALL_CATALOGUE and rows.shape.is_fully_defined():
            return tf.gather(self.item_vectors(), rows)
        flat = tf.reshape(rows, [-1])
        catalogue = {name: tf.gather(values, flat) for name, values in self.catalogue.items()}
        vectors = self._vectors(tf.gather(self.ids, flat), catalogue, flat)
        return tf.reshape(vectors, tf.concat([tf.shape(rows), [self.dim]], axis=0))

    def _vectors(self, ids, catalogue, rows):
        """``v`` [n, dim] from id embeddings, catalogue entries and row numbers of n items."""
        vectors = tf.cast(ids, self.compute_dtype)
        if self.features:
            parts = [self.encoders[f["name"]](catalogue[f["name"]]) for f in self.features]
            metadata = tf.concat([tf.cast(part, self.compute_dtype) for part in parts], axis=-1)
            vectors = vectors + metadata @ tf.cast(self.projection, self.compute_dtype)
        return vectors * tf.cast(rows > 0, self.compute_dtype)[:, None]

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "features": [dict(feature) for feature in self.features],
            "feature_dim": self.feature_dim,
        }
