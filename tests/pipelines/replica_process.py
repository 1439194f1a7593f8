"""A process that trains as one of several replicas: ``replica_process.py DATA CONFIG_JSON RUN [EPOCH_TO_DIE_IN]``."""

from __future__ import annotations

import os
import signal
import sys

import tensorflow as tf

from pipelines.config import RunConfig
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from pipelines.train import train
from pipelines.validate import DataError


class Die(tf.keras.callbacks.Callback):
    """Ends its process as ``kill -9`` does.

    Args:
        epoch: at its beginning, counted from 1.
    """

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch + 1 == self.epoch:
            os.kill(os.getpid(), signal.SIGKILL)


def main(data: str, config: str, run: str, epoch: str = "0") -> int:
    """Returns the exit code that the command would."""
    chosen = RunConfig.model_validate_json(config)
    if chosen.training.strategy == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    try:
        train(PreparedData(data), chosen, RunFolder(run), print, [Die(int(epoch))])
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
