"""The tokenizer in TensorFlow's graph."""
