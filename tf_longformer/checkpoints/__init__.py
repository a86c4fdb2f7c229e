"""Checkpoints: the weights in files, and which weights of a model they are.

Everything works on NumPy arrays under names; no backend is needed.

In the order in which a checkpoint is read:

- `locate.py` finds it by what a user calls it (a folder, a file, a preset or
  an id of the hub) and opens its weights.
- `files/` holds the formats, a module each. A new format goes there.
- `dialects.py` translates the names in a file into those of `names.py`, the
  one table of what each weight is called in which kind of file.
- `other_encoders.py` has the weights of a BERT and its like read as those of
  a Longformer, by the records of `tf_longformer.families`.
- `find_head.py` says which class the checkpoint was saved from.
- `match.py` pairs the weights of the file with those of a model, or says why
  they don't fit.

And then:

- `save.py` writes weights to a folder in any format; `convert.py` goes from
  one format to another.
- `describe.py` says what a checkpoint is and which classes it would fill;
  `doctor.py`, what would go wrong with it.
- `model_card.py` writes its page on the hub.
- `adapters.py` reads and writes PEFT's LoRA, and applies it to a file;
  `adapter_config.py` knows what its configuration means, and
  `name_patterns.py` which layers its patterns are for.
- `positions.py` copies a table of positions to another length.

Models are loaded from these by `tf_longformer.models.pretrained`, tokenizers
by `tf_longformer.tokenization`, and both together by `tf_longformer.loading`.
"""
