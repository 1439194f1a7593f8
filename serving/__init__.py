"""Serving: the thin client, the local server and the commands that ask a server.

Nothing is imported here, so that `import serving.client` stays free of TensorFlow.
"""
