"""Speed and memory, measured: training beside a peer, growth, evaluation, preparation."""

import intentrec_tf  # noqa: F401  chooses Keras 2 before a worker, started as a program, imports TensorFlow
