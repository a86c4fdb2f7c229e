"""Asks a model over REST; Python's standard library is all that it needs.

    python rest_client.py my-classifier "A long document."
    python rest_client.py my-reader "Who wrote it?" "A long document."
    python rest_client.py my-chooser "Why?" "One reason." "Another."
    python rest_client.py my-classifier --ids 0 100 200 2

Works with TensorFlow Serving, KServe and `tf-longformer serve`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import urllib.error
import urllib.request
from typing import Any

ORDER = ["text", "question", "context", "prompt", "choices"]


class Client:
    """A model that is served.

    Args:
        model: its name.
        server: the server's address. Defaults to this machine.
        timeout: seconds that an answer may take. Defaults to 60.
    """

    def __init__(
        self,
        model: str,
        server: str = "http://127.0.0.1:8501",
        timeout: float = 60,
    ) -> None:
        self.url = f"{server}/v1/models/{model}"
        self.timeout = timeout

    def inputs(self, signature: str) -> list[str]:
        """Returns the names of a signature's inputs."""
        found = self._ask("/metadata", "metadata")
        signatures = found["signature_def"]["signature_def"]
        if signature not in signatures:
            raise ValueError(
                f"the model has no signature {signature!r}, but "
                f"{', '.join(sorted(signatures))}"
            )
        return sorted(signatures[signature]["inputs"])

    def predict(
        self, rows: list[dict], signature: str = "serving_default"
    ) -> list:
        """Returns the predictions of rows.

        Args:
            rows: dicts of inputs by name; rows of ids are of one length.
            signature: its name. Defaults to `"serving_default"`.
        """
        body = {"signature_name": signature, "instances": rows}
        return self._ask(":predict", "predictions", body)

    def _ask(self, path: str, key: str, body: dict | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as reply:
                status, text = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, dict) and "error" in found:
            # The server says in a sentence what to send instead.
            raise ValueError(found["error"])
        if not isinstance(found, dict) or key not in found:
            raise ValueError(
                "the server must speak TensorFlow Serving's REST protocol, "
                f"but {self.url}{path} answered with status {status} and "
                f"without {key!r}: check the server's address"
            )
        return found[key]


def pad(ids: list[list[int]], padding: int = 1) -> list[dict]:
    """Makes rows of one length, which a request needs.

    Args:
        ids: lists of token ids.
        padding: the id of padding. Defaults to 1, Longformer's.
    """
    longest = max(map(len, ids))
    return [
        {
            "input_ids": row + [padding] * (longest - len(row)),
            "attention_mask": [1] * len(row) + [0] * (longest - len(row)),
        }
        for row in ids
    ]


def name_texts(names: list[str], texts: list[str]) -> dict:
    """Makes a row of texts.

    Args:
        names: the inputs of the signature, in any order.
        texts: `text`; `question` and `context`; or `prompt` and all choices.
    """
    order = [name for name in ORDER if name in names]
    if len(order) < len(names):
        raise ValueError(f"the model takes {', '.join(names)}, and no texts")
    row: dict = dict(zip(order, texts, strict=False))
    if "choices" in row:
        row["choices"] = texts[1:]
    elif len(texts) > len(order):
        row = {}
    if len(row) < len(order):
        raise ValueError(
            f"the model takes {' and '.join(order)}, but {len(texts)} texts "
            "were given"
        )
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model")
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--ids", nargs="+", type=int, action="append")
    parser.add_argument("--server", default="http://127.0.0.1:8501")
    arguments = parser.parse_intermixed_args()
    if bool(arguments.ids) == bool(arguments.texts):
        parser.error("give texts or --ids, one of the two")
    client = Client(arguments.model, arguments.server)
    try:
        if arguments.ids:
            found = client.predict(pad(arguments.ids))
        else:
            row = name_texts(client.inputs("text"), arguments.texts)
            found = client.predict([row], "text")
    except (ValueError, OSError, http.client.HTTPException) as error:
        sys.exit(f"error: {error}")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
