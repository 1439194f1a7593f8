"""Item vectors: an id embedding plus what the catalogue says of the item."""

import numpy as np
import tensorflow as tf

from intentrec_tf.layers.id_dropout import IdDropout
from intentrec_tf.layers.label_embedding import LabelEmbedding
from intentrec_tf.layers.numeric_scaling import NumericScaling
from intentrec_tf.vocabulary import OOV

SMALL_CATALOGUE = 16_384


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class ItemEmbedding(tf.keras.layers.Layer):
    """``v_i = e_i + W concat(metadata of i)``: one vector per item, for the input and for the tied output.

    The paper concatenates id and metadata embeddings and projects them; the projection of a concatenation is the sum
    of projections, and this form also gives an *output* vector that knows the metadata.  The catalogue itself is a
    set of constants inside the layer (non-trainable weights), so callers pass item rows only.

    With ``id_dropout`` an item that training never saw is ``e_OOV + W concat(metadata of i)``: its own ``e_i`` has
    learnt nothing.  In training each other item is so, too, with that probability (:class:`IdDropout`), so that
    ``e_OOV`` and the metadata learn to stand alone.  Labels that no trained item has count as missing.

    Args:
        vocabulary_size: V, rows of the item vocabulary, padding and OOV included.
        dim: dimension of ``v_i``.
        features: per item feature ``{"name", "kind", "size", "width", "minimum", "maximum"}`` where ``size`` is the
            label vocabulary, ``width`` the labels kept per item (multi-label).
        feature_dim: embedding dimension of each label feature before the projection.
        id_dropout: probability; 0 leaves unseen items with the random start of their ``e_i``.

    In training with up to 16,384 items a call computes the vectors of all (the output needs them anyway) and picks;
    with more, and where the number of rows is not known beforehand (serving, evaluation), only those asked for.

    Call arguments: int32 [...] item rows; ``known`` bool [V] of :meth:`known_ids`, drawn anew if it is not given.
    Returns: float [..., dim]; row 0 gives zeros.
    """

    def __init__(self, vocabulary_size, dim, features=(), feature_dim=16, id_dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.features = [dict(feature) for feature in features]
        self.feature_dim = feature_dim
        self.id_dropout = id_dropout
        self.dropped = IdDropout(id_dropout, name="dropped") if id_dropout else None

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
        if self.dropped is not None:
            self.trained = self.add_weight(
                name="trained",
                shape=(self.vocabulary_size,),
                dtype="bool",
                initializer="ones",
                trainable=False,
                experimental_autocast=False,
            )
            self.dropped.build((self.vocabulary_size,))
        super().build(input_shape)

    def _encoder(self, feature):
        if feature["kind"] == "numeric":
            return NumericScaling(feature["minimum"], feature["maximum"], name=feature["name"])
        multi = feature["kind"] == "multi_label"
        return LabelEmbedding(feature["size"], self.feature_dim, multi_label=multi, name=feature["name"])

    def set_catalogue(self, catalogue: dict[str, np.ndarray], counts: np.ndarray) -> None:
        """Store what is known of the items (see :class:`intentrec_tf.data_spec.DataSpec`); the layer must be built.

        Args:
            catalogue: arrays by feature, aligned with item rows.
            counts: training events of each row, [V].
        """
        trained = np.asarray(counts) > 0
        if self.dropped is not None:
            self.trained.assign(trained)
        for feature in self.features:
            name, values = feature["name"], catalogue[feature["name"]]
            if self.dropped is not None and feature["kind"] != "numeric":
                values = np.where(np.isin(values, values[trained]), values, 0)
            self.catalogue[name].assign(values)

    def known_ids(self, training=False):
        """Which items go by their own id, bool [V], of a new draw; None where all do (no ``id_dropout``)."""
        return None if self.dropped is None else self.dropped(tf.convert_to_tensor(self.trained), training=training)

    def item_vectors(self, start=0, stop=None, known=None):
        """Vectors of the rows ``start <= row < stop`` (default: all), float [stop - start, dim]; row 0 is zeros.

        Args:
            start, stop: rows.
            known: of :meth:`known_ids`; None takes that of serving.
        """
        stop = self.vocabulary_size if stop is None else stop
        catalogue = {name: values[start:stop] for name, values in self.catalogue.items()}
        ids, known = self.ids[start:stop], self.known_ids() if known is None else known
        if known is not None:
            ids = tf.where(known[start:stop, None], ids, self.ids[OOV])
        return self._vectors(ids, catalogue, tf.range(start, stop))

    def call(self, rows, training=None, known=None):
        known = self.known_ids(training) if known is None else known
        if self.vocabulary_size <= SMALL_CATALOGUE and rows.shape.is_fully_defined():
            return tf.gather(self.item_vectors(known=known), rows)
        flat = tf.reshape(rows, [-1])
        catalogue = {name: tf.gather(values, flat) for name, values in self.catalogue.items()}
        ids = flat if known is None else tf.where(tf.gather(known, flat), flat, OOV)
        vectors = self._vectors(tf.gather(self.ids, ids), catalogue, flat)
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
            "id_dropout": self.id_dropout,
        }
