"""Runs a model over a file of records: JSON lines or CSV in, JSON lines out.

`prediction.py` goes through the file, with these parts:

- `records.py` reads the records.
- `checkpoint_predictor.py` and `saved_model_predictor.py` make rows of them
  (`rows.py`), form batches and run the model; `embedder.py` makes vectors.
- `result_formats.py` makes bytes of the results, and `resumable_output.py`
  writes them, so that a run that was killed is continued.
"""
