"""Runs an exported model over a file of texts, as an Apache Beam pipeline.

    python beam_predict.py EXPORTED TOKENIZER TEXTS.jsonl OUTPUT [OPTIONS]

EXPORTED is what `tf-longformer export` wrote, of any head but multiple
choice; TOKENIZER a folder with the tokenizer; lines of TEXTS.jsonl have a
`text`, those of OUTPUT also the best label with its score. OPTIONS are Beam's,
such as `--runner`. `SavedModelHandler` needs TensorFlow alone, and goes into
any pipeline whose elements are pairs of a key and a dict of rows of ids.
"""

import json
import sys
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.ml.inference.base import KeyedModelHandler
from apache_beam.ml.inference.base import ModelHandler
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions

Row = dict[str, np.ndarray]


class SavedModelHandler(ModelHandler[Row, Row, Any]):
    """Runs rows of ids of any lengths through a SavedModel.

    Args:
        folder: str, the SavedModel.
        signature: str, one that takes `input_ids` and `attention_mask`.
        outputs: names of outputs to return. Defaults to all.
        batch_tokens: int, most tokens of a batch, with its padding. A longer
            row is a batch by itself.
        pad_token_id: int, the model's.
    """

    def __init__(
        self,
        folder: str,
        signature: str = "serving_default",
        outputs: Sequence[str] = (),
        batch_tokens: int = 16_384,
        pad_token_id: int = 1,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.signature = signature
        self.outputs = outputs
        self.batch_tokens = batch_tokens
        self.pad_token_id = pad_token_id

    def load_model(self) -> Any:
        import tensorflow as tf

        # The loaded object owns the variables of its signatures.
        return tf.saved_model.load(self.folder)

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        # Rows enough to find some of like length among them.
        return {"min_batch_size": 32, "max_batch_size": 256}

    def run_inference(
        self,
        batch: Sequence[Row],
        model: Any,
        inference_args: Mapping[str, Any] | None = None,
    ) -> Iterable[Row]:
        import tensorflow as tf

        function = model.signatures[self.signature]
        shapes = {
            name: output.shape
            for name, output in function.structured_outputs.items()
        }
        found: dict[int, Row] = {}
        for places in self._group([len(row["input_ids"]) for row in batch]):
            rows = [batch[place]["input_ids"] for place in places]
            length = max(map(len, rows))
            ids = np.full((len(rows), length), self.pad_token_id, "int32")
            mask = np.zeros_like(ids)
            for number, row in enumerate(rows):
                ids[number, : len(row)] = row
                mask[number, : len(row)] = 1
            outputs = function(
                input_ids=tf.constant(ids), attention_mask=tf.constant(mask)
            )
            for number, place in enumerate(places):
                found[place] = {}
                for name in self.outputs or outputs:
                    value = outputs[name][number].numpy()
                    # An axis of tokens is as free as that of the inputs.
                    if shapes[name][1:2] == [None] and len(value) == length:
                        value = value[: len(rows[number])]
                    found[place][name] = value
        return [found[place] for place in range(len(batch))]

    def _group(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Yields the places of rows of like length, of one batch each."""
        group: list[int] = []
        for place in np.argsort(lengths, kind="stable").tolist():
            if group and (len(group) + 1) * lengths[place] > self.batch_tokens:
                yield group
                group = []
            group.append(place)
        if group:
            yield group


class Encode(beam.DoFn):
    """Makes a key and a row of ids of each line."""

    def __init__(self, tokenizer: str) -> None:
        self.folder = tokenizer

    def setup(self) -> None:
        from tf_longformer import LongformerTokenizerFast

        self.tokenizer = LongformerTokenizerFast.from_pretrained(self.folder)

    def process(self, line: str) -> Iterator[tuple[str, Row]]:
        text = json.loads(line)["text"]
        ids = self.tokenizer(text, truncation=True)["input_ids"]
        yield line, {"input_ids": np.array(ids, "int32")}


def describe(result: tuple[str, Row]) -> str:
    """Returns a line with the best label."""
    line, outputs = result
    found = {
        "predicted": outputs["labels"][0].decode(),
        "score": round(float(outputs["scores"][0]), 4),
    }
    return json.dumps({**json.loads(line), **found})


def main(
    exported: str, tokenizer: str, texts: str, output: str, *options: str
) -> None:
    handler = SavedModelHandler(exported, outputs=("labels", "scores"))
    with beam.Pipeline(options=PipelineOptions(options)) as pipeline:
        (
            pipeline
            | beam.io.ReadFromText(texts)
            | beam.ParDo(Encode(tokenizer))
            | RunInference(KeyedModelHandler(handler))
            | beam.Map(describe)
            | beam.io.WriteToText(output)
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
