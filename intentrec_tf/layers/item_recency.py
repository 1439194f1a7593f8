"""How many other items a user met since an event."""

import tensorflow as tf

from intentrec_tf.vocabulary import FIRST


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class ItemRecency(tf.keras.layers.Layer):
    """Recency of the history's items, each counted once, for a repeat head to prefer what was met last.

    Five events on one item are five events, but one item: seen from event ``k``, the item of event ``i`` has ``n``
    different items after it.

    Call arguments: ``item_id`` int32 [batch, seq] item rows, ``mask`` bool [batch, seq, seq], which events ``i`` event
        ``k`` may look at.
    Returns: a list of three, float32 [batch, seq, seq]: ``log(1 + n)``; 1 where ``n > 0``; and 1 where the item came
        again between ``i`` and ``k``.  0 where the mask is false.  Unknown items are each an item of their own.
    """

    def call(self, item_id, mask):
        size = tf.shape(item_id)[1]
        place = tf.range(size)
        same = (item_id[:, :, None] == item_id[:, None, :]) & (item_id >= FIRST)[:, :, None]
        later = tf.transpose(mask, [0, 2, 1]) & (place[:, None] < place)  # [batch, i, k]: k is later and sees i
        again = tf.reduce_min(tf.where(same & later, place, size), axis=2)  # of event i the next one on its item
        last = mask & (again[:, None, :] > place[None, :, None])  # i is the last event on its item, seen from k
        number = tf.cumsum(tf.cast(last, tf.float32), axis=2, exclusive=True, reverse=True)
        number = tf.where(mask, number, 0.0)
        came_again = tf.cast(mask & ~last, tf.float32)
        return [tf.math.log1p(number), tf.cast(number > 0, tf.float32), came_again]
