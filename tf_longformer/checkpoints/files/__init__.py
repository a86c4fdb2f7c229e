"""The formats of files of weights, a module each.

A file is checked as a whole when it is opened, and read one tensor at a time.
To add a format:

- Subclass `TensorFile` in a module of this folder.
- Add a row to the table in `formats.py`.
- If the format is also written, put its `write` into the module and a row
  into the table of writers in `../save.py`.
- If it has names of its own for the weights, add them to `../names.py` and
  `../dialects.py`.
"""
