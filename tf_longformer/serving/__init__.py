"""Serves an exported model over HTTP, by TensorFlow Serving's REST protocol.

- `server.py` listens, and starts and stops the rest.
- `application.py` answers requests, so many at a time and each within a time.
- `requests.py` turns bodies into arrays and arrays into bodies. It has
  `Limits`, which says how much one request may ask for.
- `metrics.py` counts.

The model is found, loaded and run by `tf_longformer.exported`.
"""
