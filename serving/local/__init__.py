"""The local server: TensorFlow and the official TensorFlow Serving stubs, nothing of the training library."""

from serving.local.errors import LocalServerError
from serving.local.local_server import LocalServer
from serving.local.serve import serve

__all__ = ["LocalServer", "LocalServerError", "serve"]
