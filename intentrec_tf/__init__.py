"""IntentRec in Keras: predict what a user came to do, then what to show.

The package holds the schema, layers, models, losses, metrics and export.  It knows no files, no data sets and no
network.  Importing it costs nothing heavy; the first module that needs TensorFlow calls :func:`use_legacy_keras`.
"""

from intentrec_tf._keras import use_legacy_keras

__version__ = "0.1.0"
__all__ = ["__version__", "use_legacy_keras"]

use_legacy_keras()
