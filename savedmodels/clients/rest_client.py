"""Asks a model over REST; Python's standard library is all that it needs.

    python rest_client.py my-classifier "A long document."
    python rest_client.py my-reader "Who wrote it?" "A long document."
    python rest_client.py my-classifier --ids 0 100 200 2

Works with TensorFlow Serving, KServe and `tf-longformer serve`.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request


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
        found = self._ask("/metadata")
        signatures = found["metadata"]["signature_def"]["signature_def"]
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
        return self._ask(":predict", body)["predictions"]

    def _ask(self, path: str, body: dict | None = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            # The server says in a sentence what to send instead.
            raise ValueError(json.load(error)["error"]) from error


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
    client = Client(arguments.model, arguments.server)
    try:
        if arguments.ids:
            found = client.predict(pad(arguments.ids))
        else:
            # `text`, or `question` and `context`, in this order.
            names = client.inputs("text")
            names.sort(key=["text", "question", "context"].index)
            row = dict(zip(names, arguments.texts, strict=True))
            found = client.predict([row], "text")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
