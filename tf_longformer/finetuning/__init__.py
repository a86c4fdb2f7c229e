"""Fine-tuning and pretraining with Keras's `fit`, from files of examples.

`fine_tune.fine_tune` is the whole run of the command; datasets, optimizers and
callbacks are plain functions and classes for anybody's `fit`.
"""
