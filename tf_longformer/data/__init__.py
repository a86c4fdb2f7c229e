"""From texts to a model's inputs, in NumPy: global masks, labels, batches."""
