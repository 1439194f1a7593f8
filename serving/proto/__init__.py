"""Messages of the TensorFlow Serving protocol under names of our own; see `intentrec_serving.proto`."""
