"""Runs exported models: as a server, and over files.

A SavedModel says by itself which signatures it has, with names, dtypes and
shapes; nothing here knows a head or builds a model. `folders` finds the
version, `saved_model` loads it, `tensors` and `requests` turn JSON into
arrays and back, `application` and `server` answer over HTTP. Over files,
`records` reads, `output` writes, and `prediction` goes from one to the other
through `predictors`.
"""
