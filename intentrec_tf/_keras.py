"""Select Keras 2 (``tf_keras``) before TensorFlow decides otherwise."""

import os
import sys


def use_legacy_keras() -> None:
    """Make ``tf.keras`` mean Keras 2, which tensorflow-recommenders and ParameterServerStrategy need.

    Sets ``TF_USE_LEGACY_KERAS=1``.  Must run before anything touches ``tf.keras``; importing :mod:`intentrec_tf`
    first is enough.

    Raises:
        ImportError: TensorFlow is already loaded and has bound ``tf.keras`` to Keras 3.
    """
    if os.environ.get("TF_USE_LEGACY_KERAS") in {"1", "true", "True"}:
        return
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and "keras.src" in sys.modules and "tf_keras" not in sys.modules:
        raise ImportError(
            "intentrec_tf needs Keras 2, but Keras 3 is already active in this process: "
            "import intentrec_tf before tensorflow, or set TF_USE_LEGACY_KERAS=1 before starting Python."
        )
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
