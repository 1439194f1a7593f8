"""On two devices: numbers differ, statistics and large tables do not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import intentrec_tf
from intentrec_tf.replicas import mean_of_parts, replica_draw, sum_over_replicas

PROGRAM = """
import json
import tensorflow as tf
from intentrec_tf.layers import Dropout, StreamingFrequency
from intentrec_tf.losses.cross_entropy import weighted_mean
from intentrec_tf.optimizers import LazyAdam

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

def both(function, batch):
    # on one device with the whole batch, and on two with a half each
    found = {"one": [function(batch).numpy().tolist()]}
    halves = tf.split(batch, 2)
    parts = mirrored.experimental_distribute_values_from_function(
        lambda context: halves[context.replica_id_in_sync_group]
    )
    results = tf.function(lambda part: mirrored.run(function_there, args=(part,)))(parts)
    found["two"] = [part.numpy().tolist() for part in mirrored.experimental_local_results(results)]
    return found

def made(make):
    # the same object, once outside and once within the strategy
    outside = make()
    with mirrored.scope():
        return outside, make()

def built(layer):
    layer.build([None])
    return layer

# --- dropout
_, layer = made(lambda: built(Dropout(0.5, seed=3)))
drawn = tf.function(lambda: mirrored.run(lambda: layer(tf.ones([1, 32]), training=True)))()
drawn = [part.numpy().tolist() for part in mirrored.experimental_local_results(drawn)]

# --- frequencies
here, there = made(lambda: built(StreamingFrequency(6)))
rows = tf.constant([2, 2, 3, 4, 2, 5, 4, 4])
function_there = lambda part: (there(part, training=True), there(tf.range(6)))[1]
frequency = both(lambda batch: (here(batch, training=True), here(tf.range(6)))[1], rows)

# --- a table that is updated lazily, read with some rows twice and in both halves
table, table_there = made(lambda: tf.Variable(tf.reshape(tf.range(24.0), [8, 3])))
optimizer, optimizer_there = made(lambda: LazyAdam(0.1, large=4, global_clipnorm=1.0))

def step(table, optimizer, batch):
    with tf.GradientTape() as tape:
        values = tf.reduce_sum(tf.gather(table, batch) ** 2, axis=-1)
        loss = weighted_mean(values, tf.cast(batch, tf.float32))
    optimizer.apply_gradients([(tape.gradient(loss, table), table)])
    return tf.convert_to_tensor(table)

function_there = lambda part: step(table_there, optimizer_there, part)
lazy = {}
for _ in range(3):
    lazy = both(lambda batch: step(table, optimizer, batch), tf.constant([1, 1, 7, 3, 3, 7, 1, 2]))
print(json.dumps({"dropout": drawn, "frequency": frequency, "lazy": lazy}))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What the program finds; a process of its own, for the devices of this one are made already."""
    root = str(Path(intentrec_tf.__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_replicas_drop_different_places(found: dict[str, Any]):
    first, second = found["dropout"]
    assert first != second
    assert {0.0, 2.0} == {*first[0]} == {*second[0]}


def test_replicas_learn_the_frequencies_of_the_whole_batch(found: dict[str, Any]):
    first, second = found["frequency"]["two"]
    assert first == second == found["frequency"]["one"][0]


def test_a_large_table_gets_the_rows_of_all_replicas_once(found: dict[str, Any]):
    start = np.arange(24.0).reshape(8, 3)
    first, second = (np.array(part) for part in found["lazy"]["two"])
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, found["lazy"]["one"][0], atol=1e-5)
    np.testing.assert_array_equal(np.any(first != start, axis=1), [row in (1, 2, 3, 7) for row in range(8)])


def test_one_replica_adds_nothing_to_a_step():
    value = object()
    assert sum_over_replicas(value) is mean_of_parts(value) is replica_draw(value) is value
