"""Models in the form that other runtimes load."""

from tf_longformer.export.saved_model import export_saved_model

__all__ = ["export_saved_model"]
