"""Asks a model of TensorFlow Serving over gRPC.

    python grpc_client.py my-classifier "A long document."
    python grpc_client.py my-classifier --ids 0 100 200 2

Its messages are in a package that asks for `tensorflow`; beside
`tensorflow-cpu` install it without what it asks for:

    pip install tensorflow-cpu grpcio
    pip install --no-deps tensorflow-serving-api

gRPC sends a float as four bytes and REST as text, which counts for tensors of
many numbers, such as logits of tokens.
"""

from __future__ import annotations

import argparse
import sys

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

# An answer may be larger than gRPC's four megabytes.
LARGEST = 256 * 2**20


class Client:
    """A model that is served.

    Args:
        model: its name.
        server: host and port. Defaults to this machine.
        timeout: seconds that an answer may take. Defaults to 60.
    """

    def __init__(
        self, model: str, server: str = "127.0.0.1:8500", timeout: float = 60
    ) -> None:
        self.model = model
        self.timeout = timeout
        options = [("grpc.max_receive_message_length", LARGEST)]
        channel = grpc.insecure_channel(server, options)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def predict(
        self,
        inputs: dict,
        signature: str = "serving_default",
        outputs: tuple[str, ...] = (),
    ) -> dict[str, np.ndarray]:
        """Returns arrays by name.

        Args:
            inputs: lists or arrays by name, a row each.
            signature: its name. Defaults to `"serving_default"`.
            outputs: names of what to return. Defaults to all; less is
                faster.
        """
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self.model
        request.model_spec.signature_name = signature
        request.output_filter.extend(outputs)
        for name, value in inputs.items():
            tensor = tf.make_tensor_proto(value)
            request.inputs[name].CopyFrom(tensor)
        reply = self.stub.Predict(request, self.timeout)
        return {
            name: tf.make_ndarray(value)
            for name, value in reply.outputs.items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model")
    parser.add_argument("text", nargs="?")
    parser.add_argument("--ids", nargs="+", type=int)
    parser.add_argument("--server", default="127.0.0.1:8500")
    arguments = parser.parse_intermixed_args()
    client = Client(arguments.model, arguments.server)
    try:
        if arguments.ids:
            ids = np.array([arguments.ids], "int32")
            mask = np.ones_like(ids)
            found = client.predict({"input_ids": ids, "attention_mask": mask})
        else:
            found = client.predict({"text": [arguments.text]}, "text")
    except grpc.RpcError as error:
        sys.exit(f"error: {error.code().name}: {error.details()}")
    for name, array in sorted(found.items()):
        print(name, array.tolist())


if __name__ == "__main__":
    main()
