"""Checkpoint files: their names, their formats, what fits and what doesn't.

NumPy arrays under names, on either side; no backend is needed.

1. `names.py`: the one table of what a weight is called where.
2. `dialects.py`: the names of a file, as they are found, into that table.
3. `safetensors_file.py`, `torch_file.py` (with `torch_pickle.py`) and
   `hdf5_file.py`: files that are opened whole and read one tensor at a time.
4. `folder.py`: which files of a folder hold the weights, shards included.
5. `transfer.py`: matches a file with a model, or says why it can't.
6. `saving.py`: writes a folder in any of the formats.
"""
