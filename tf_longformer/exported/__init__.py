"""SavedModel folders, as they are found, loaded, run and warmed up.

The export writes them; the server and prediction over files run them. Any
SavedModel will do: the folder itself says which signatures it has, with names,
dtypes and shapes. TensorFlow is needed, Keras isn't.

- `versions.py` finds the folder, of several versions the highest.
- `loaded_model.py` loads it and runs its signatures.
- `json_tensors.py` makes arrays of JSON values, and JSON values of arrays.
- `warmup.py` writes requests into a folder, and runs them before it serves.
"""
