"""A page that changes itself by the predicted intent: FastAPI over the thin client, plain HTML, CSS and JavaScript.

It needs the extra `web`, the address of a model server and a catalogue file; no TensorFlow.
"""
