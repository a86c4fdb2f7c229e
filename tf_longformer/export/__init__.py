"""Models in the form that other runtimes load."""

from tf_longformer.export.runtimes import export_aot
from tf_longformer.export.runtimes import export_litert
from tf_longformer.export.runtimes import export_onnx
from tf_longformer.export.runtimes import export_openvino
from tf_longformer.export.saved_model import export_saved_model

__all__ = [
    "export_aot",
    "export_litert",
    "export_onnx",
    "export_openvino",
    "export_saved_model",
]
