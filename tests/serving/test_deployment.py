"""What `savedmodels/` holds for those who deploy and ask."""

from __future__ import annotations

import concurrent.futures
import http.server
import json
import os
import runpy
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from google.protobuf import text_format
from helpers.toy_saved_model import save_toy
from helpers.toy_saved_model import sums
from serving.client import Server
from serving.client import needs_server

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "savedmodels/clients"
DEPLOYMENT = ROOT / "savedmodels/deployment"
# The fields that are in use, by message: of model_server_config.proto and
# file_system_storage_path_source.proto, session_bundle_config.proto and
# monitoring_config.proto of TensorFlow Serving.
MESSAGES = {
    "models.config": {
        "Root": {"model_config_list": "List"},
        "List": {"config": ["Model"]},
        "Model": {
            "name": "string",
            "base_path": "string",
            "model_platform": "string",
            "model_version_policy": "Policy",
        },
        "Policy": {"latest": "Latest"},
        "Latest": {"num_versions": "uint32"},
    },
    "batching.config": {
        "Root": {
            "max_batch_size": "Value",
            "batch_timeout_micros": "Value",
            "max_enqueued_batches": "Value",
            "num_batch_threads": "Value",
            "pad_variable_length_inputs": "bool",
        },
        "Value": {"value": "int64"},
    },
    "monitoring.config": {
        "Root": {"prometheus_config": "Prometheus"},
        "Prometheus": {"enable": "bool", "path": "string"},
    },
}


def parse(name):
    """Parses a file of TensorFlow Serving's options."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{name}.proto", package=name.partition(".")[0], syntax="proto3"
    )
    field_type = descriptor_pb2.FieldDescriptorProto
    for message, fields in MESSAGES[name].items():
        described = file.message_type.add(name=message)
        for number, (field, kind) in enumerate(fields.items(), 1):
            added = described.field.add(name=field, number=number)
            added.label = field_type.LABEL_OPTIONAL
            if isinstance(kind, list):
                (kind,), added.label = kind, field_type.LABEL_REPEATED
            if kind in MESSAGES[name]:
                added.type = field_type.TYPE_MESSAGE
                added.type_name = f".{file.package}.{kind}"
            else:
                added.type = getattr(field_type, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    root = pool.FindMessageTypeByName(f"{file.package}.Root")
    message = message_factory.GetMessageClass(root)()
    return text_format.Parse((DEPLOYMENT / name).read_text("utf-8"), message)


def test_options_of_tensorflow_serving():
    (model,) = parse("models.config").model_config_list.config
    assert model.base_path == f"/models/{model.name}"
    batching = parse("batching.config")
    assert batching.max_batch_size.value > 1
    # It would repeat the first element of a mask, a 1.
    assert not batching.pad_variable_length_inputs
    prometheus = parse("monitoring.config").prometheus_config
    assert prometheus.enable
    assert prometheus.path == "/monitoring/prometheus/metrics"


def test_manifests():
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")

    def load(name):
        text = (DEPLOYMENT / name).read_text("utf-8")
        return list(yaml.safe_load_all(text))

    (compose,) = load("compose.yaml")
    for service in compose["services"].values():
        for volume in service["volumes"]:
            assert (DEPLOYMENT / volume.split(":")[0]).is_dir()
    serving, ours = compose["services"].values()
    for option in serving["command"]:
        path = option.partition("=")[2].replace("/deployment", str(DEPLOYMENT))
        assert Path(path).is_file()
    build = ours["build"]
    assert (DEPLOYMENT / build["context"] / build["dockerfile"]).is_file()

    deployment, service = load("kubernetes.yaml")
    pod = deployment["spec"]["template"]
    assert pod["metadata"]["labels"] == service["spec"]["selector"]
    assert (
        pod["metadata"]["labels"]
        == (deployment["spec"]["selector"]["matchLabels"])
    )
    (container,) = pod["spec"]["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["spec"]["volumes"]
    }
    (kserve,) = load("kserve.yaml")
    assert kserve["kind"] == "InferenceService"


def test_what_is_ignored():
    """Exported models, and nothing of what is in the tree."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    for name, ignored in (
        ("my-classifier/1/saved_model.pb", True),
        ("my-classifier/1/variables/variables.index", True),
        ("clients/rest_client.py", False),
        ("deployment/compose.yaml", False),
        ("README.md", False),
    ):
        done = subprocess.run(
            ["git", "check-ignore", "-q", f"savedmodels/{name}"], cwd=ROOT
        )
        assert done.returncode == (0 if ignored else 1), name


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(save_toy(tmp_path_factory.mktemp("models") / "toy/3"))
    yield server
    code, _ = server.stop()
    assert code == 0


def ask(*command, **environment):
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout, done.stderr


@needs_server
@pytest.mark.slow
def test_rest_client(server):
    client = [sys.executable, CLIENTS / "rest_client.py", "toy"]
    client += ["--server", server.root]
    code, out, _ = ask(*client, "--ids", 3, 5, 7, "--ids", 4)
    assert (code, json.loads(out)) == (0, [sums([3, 5, 7]), sums([4])])
    code, out, _ = ask(*client, "naïve")
    assert (code, json.loads(out)) == (0, [{"label": "naïve!", "score": 3.0}])
    code, out, err = ask(*client, "--ids", 99)
    assert (code, out) == (1, "")
    assert err.startswith("error: `input_ids` must lie in [0, 61)")
    code, _, err = ask(*client, "--server", "http://127.0.0.1:1", "a")
    assert code == 1
    assert err.startswith("error: ")
    for arguments in ((), ("a", "--ids", "5")):
        code, _, err = ask(*client, *arguments)
        assert code == 2
        assert "error: give texts or --ids" in err
    code, _, err = ask(*client, "a", "b")
    assert (code, err) == (
        1,
        "error: the model takes text, but 2 texts were given\n",
    )


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"{}"])
@pytest.mark.parametrize("status", [200, 404])
def test_rest_client_of_another_server(content, status):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.serve_forever).start()
        url = f"http://127.0.0.1:{other.server_port}"
        code, _, err = ask(
            *(sys.executable, CLIENTS / "rest_client.py", "toy", "a"),
            *("--server", url),
        )
        other.shutdown()
    assert (code, err.count("\n")) == (1, 1)
    assert "must speak TensorFlow Serving's REST protocol" in err
    assert f"{url}/v1/models/toy/metadata answered with status {status}" in err


@pytest.mark.parametrize(
    ("names", "texts", "row"),
    [
        (["text"], ["a"], {"text": "a"}),
        (
            ["context", "question"],
            ["a", "b"],
            {"question": "a", "context": "b"},
        ),
        (
            ["choices", "prompt"],
            ["a", "b", "c"],
            {"prompt": "a", "choices": ["b", "c"]},
        ),
        (["context", "question"], ["a"], "takes question and context, but 1"),
        (["choices", "prompt"], ["a"], "takes prompt and choices, but 1"),
        (["image"], ["a"], "takes image, and no texts"),
    ],
)
def test_texts_of_the_rest_client(names, texts, row):
    client = runpy.run_path(str(CLIENTS / "rest_client.py"))
    if isinstance(row, dict):
        assert client["name_texts"](names, texts) == row
    else:
        with pytest.raises(ValueError, match=row):
            client["name_texts"](names, texts)


@needs_server
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_client(server):
    def curl(*arguments):
        return ask(CLIENTS / "curl.sh", *arguments, SERVER=server.root)

    code, out, _ = curl("toy", "status")
    assert code == 0
    assert json.loads(out)["model_version_status"][0]["version"] == "3"
    assert "serving_default" in curl("toy", "metadata")[1]
    code, out, _ = curl("toy", "ids", "[3, 5, 7]")
    assert (code, json.loads(out)) == (0, {"predictions": [sums([3, 5, 7])]})
    code, out, _ = curl("toy", "ids", "[99]")
    assert code == 22
    assert "must lie in [0, 61)" in json.loads(out)["error"]
    code, out, _ = curl("toy", "ids", "[3, 1e1, 7]")
    assert code == 22
    assert "input_ids[0][1] must be of type" in json.loads(out)["error"]
    for wrong in (
        *((), ("toy",), ("toy", "nonsense"), ("toy", "status", "a")),
        *(("toy", "text"), ("toy", "ids"), ("toy", "text", "a", "b")),
    ):
        code, out, err = curl(*wrong)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "Usage: curl.sh MODEL" in err
    if shutil.which("jq"):
        code, out, _ = curl("toy", "text", 'say "a"\n')
        assert json.loads(out)["predictions"][0]["label"] == 'say "a"\n!'


@pytest.mark.slow
def test_grpc_client(tmp_path):
    """Against a server that knows its protocol, as the real one isn't here."""
    grpc = pytest.importorskip("grpc", reason="needs grpcio")
    apis = pytest.importorskip(
        "tensorflow_serving.apis", reason="needs tensorflow-serving-api"
    )
    from tensorflow_serving.apis import predict_pb2
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    assert apis
    loaded = tf.saved_model.load(str(save_toy(tmp_path / "toy/3")))

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):  # noqa: N802
            spec = request.model_spec
            assert spec.name == "toy"
            inputs = {
                name: tf.constant(tf.make_ndarray(value))
                for name, value in request.inputs.items()
            }
            try:
                found = loaded.signatures[spec.signature_name](**inputs)
            except tf.errors.InvalidArgumentError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
            reply = predict_pb2.PredictResponse()
            for name, value in found.items():
                tensor = tf.make_tensor_proto(value.numpy())
                reply.outputs[name].CopyFrom(tensor)
            return reply

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Service(), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = [sys.executable, CLIENTS / "grpc_client.py", "toy"]
    client += ["--server", f"127.0.0.1:{port}"]
    assert ask(*client, "--ids", 3, 5)[:2] == (0, f"logits {[sums([3, 5])]}\n")
    code, out, _ = ask(*client, "abc")
    assert (code, out) == (0, "label [b'abc!']\nscore [1.5]\n")
    code, _, err = ask(*client, "--ids", 99)
    assert code == 1
    assert "error: INVALID_ARGUMENT: " in err
    server.stop(None)
