"""One peer in a process of its own, timed on request.

Usage: python worker.py PEER JSON

Reads a command a line from stdin and answers each with a line of JSON:

    time N      seconds of N calls
    save FILE   writes the output of a call there, answers {}
    peak        the process's peak memory in MiB, and that before the calls
    traces      how often a training step was traced, where that is counted
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

VOCAB = 50265


def inputs(case: dict) -> dict:
    """Ids, a mask with padding at the end, and global tokens, alike for all."""
    rng = np.random.default_rng(0)
    shape = (case["batch"], case["seq"])
    mask = np.ones(shape, "int32")
    mask[:, shape[1] - shape[1] // 32 :] = 0
    is_global = np.zeros(shape, "int32")
    is_global[:, : case.get("globals", 1)] = 1
    ids = rng.integers(3, VOCAB, shape).astype("int32")
    return {
        "input_ids": np.where(mask, ids, 1),
        "attention_mask": mask,
        "global_attention_mask": is_global,
    }


def labels(case: dict) -> np.ndarray:
    """Labels of the head: `MaskedLM` (15 percent), or by default of texts."""
    if case.get("head", "") != "MaskedLM":
        return np.zeros(case["batch"], "int32")
    given = inputs(case)
    hidden = np.random.default_rng(1).random(given["input_ids"].shape) < 0.15
    return np.where(
        hidden & (given["attention_mask"] == 1), given["input_ids"], -100
    )


def heads_of(case: dict) -> np.ndarray:
    """Query, key and value of attention alone."""
    rng = np.random.default_rng(0)
    shape = (3, case["batch"], case["heads"], case["seq"], 64)
    return rng.standard_normal(shape, "float32")


# Ours.


def ours(case: dict):
    import keras
    import tensorflow as tf

    keras.config.set_dtype_policy(case.get("policy", "float32"))
    import tf_longformer

    jit = case.get("jit", False)
    if case["work"] == "fit":
        name = f"TFLongformerFor{case.get('head', 'SequenceClassification')}"
        model = getattr(tf_longformer, name).from_pretrained(case["folder"])
        if case.get("checkpointing"):
            model.gradient_checkpointing_enable()
        model.scan_layers = case.get("scan_layers", False)
        model.compile(keras.optimizers.AdamW(3e-5), jit_compile=jit)
        x, y = inputs(case), labels(case)
        return lambda: model.train_on_batch(x, y)
    model = tf_longformer.TFLongformerModel.from_pretrained(case["folder"])
    call = tf.function(
        lambda x: model(x).last_hidden_state,
        jit_compile=jit,
        reduce_retracing=False,
    )
    x = {name: tf.constant(array) for name, array in inputs(case).items()}
    return lambda: np.asarray(tf.cast(call(x), "float32"))


def our_classifier(case: dict):
    """A model and its tokenizer."""
    from tf_longformer import LongformerTokenizerFast
    from tf_longformer import TFLongformerForSequenceClassification

    return (
        TFLongformerForSequenceClassification.from_pretrained(case["folder"]),
        LongformerTokenizerFast.from_pretrained(case["vocab"]),
    )


def ours_documents(case: dict):
    """A pass of `fit` over a file of documents, as the package batches them."""
    import keras

    from tf_longformer.finetuning.datasets import make_dataset

    model, tokenizer = our_classifier(case)
    traced = []
    step = model.train_step

    def count(*arguments):
        traced.append(1)
        return step(*arguments)

    model.train_step = count
    model.compile(keras.optimizers.AdamW(3e-5))
    size, longest = case["batch"], case["seq"]
    if case.get("padded"):
        texts = [row["text"] for row in read_rows(case["file"])]
        x = tokenizer(
            texts,
            padding="max_length",
            truncation=True,
            max_length=longest,
            return_tensors="np",
        )
        data = dict(x), np.arange(len(texts)) % 2, size
    else:
        data = (
            make_dataset(
                "text-classification",
                case["file"],
                tokenizer,
                max_length=longest,
                batch_size=size,
            ),
        )

    def one_pass():
        model.fit(*data, verbose=0)

    one_pass.traces = traced
    return one_pass


def ours_fed(case: dict):
    """A pass of `fit` over one row, as data of a kind."""
    import keras

    from tf_longformer import TFLongformerForSequenceClassification

    model = TFLongformerForSequenceClassification.from_pretrained(
        case["folder"]
    )
    model.compile(keras.optimizers.AdamW(3e-5))
    x, y = inputs(case), labels(case)

    class Rows(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return x, y

    data = (Rows(),) if case["data"] == "PyDataset" else (x, y)
    # Or what Keras does by itself.
    fit = keras.Model.fit if case["alone"] else type(model).fit
    return lambda: fit(model, *data, verbose=0)


def read_rows(file: str) -> list[dict]:
    with open(file, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def ours_texts(case: dict):
    """Short texts through the helper for classification."""
    from tf_longformer.tasks import classify

    model, tokenizer = our_classifier(case)
    texts = [row["text"] for row in read_rows(case["file"])]
    return lambda: classify(model, tokenizer, texts, batch_size=case["batch"])


def saved_model(case: dict):
    """An exported folder, loaded by TensorFlow alone."""
    import tensorflow as tf

    signatures = tf.saved_model.load(case["saved_model"]).signatures
    serve = signatures["with_global_attention"]
    x = {name: tf.constant(array) for name, array in inputs(case).items()}
    return lambda: serve(**x)["last_hidden_state"].numpy()


def ours_attention(case: dict):
    import tensorflow as tf

    from tf_longformer.attention import assign_roles
    from tf_longformer.attention import windowed_attention

    q, k, v = (tf.constant(x) for x in heads_of(case))
    given = inputs(case)

    def attend(q, k, v, mask, is_global):
        roles = assign_roles(mask, is_global)
        return windowed_attention(q, k, v, roles, case["window"] // 2)

    call = tf.function(attend, jit_compile=case.get("jit", False))
    masks = [
        tf.constant(given[name])
        for name in ("attention_mask", "global_attention_mask")
    ]
    return lambda: call(q, k, v, *masks).numpy()


def ours_attention_layer(case: dict):
    """Self-attention with its projections, as a Keras layer."""
    import keras
    import tensorflow as tf

    from tf_longformer import TFLongformerSelfAttention

    keras.config.set_dtype_policy(case.get("policy", "float32"))
    layer = TFLongformerSelfAttention(case["heads"], case["window"])
    width = 64 * case["heads"]
    rng = np.random.default_rng(0)
    shape = (case["batch"], case["seq"], width)
    states = tf.constant(rng.standard_normal(shape, "float32"))
    masks = inputs(case)
    del masks["input_ids"]
    call = tf.function(layer, jit_compile=case.get("jit", False))
    return lambda: np.asarray(tf.cast(call(states, **masks), "float32"))


# Hugging Face.


def hf_torch(case: dict):
    import torch
    import transformers

    x = {n: torch.tensor(a, dtype=torch.long) for n, a in inputs(case).items()}
    if case["work"] == "fit":
        name = f"LongformerFor{case.get('head', 'SequenceClassification')}"
        model = getattr(transformers, name).from_pretrained(case["folder"])
        model.train()
        optimizer = torch.optim.AdamW(model.parameters(), 3e-5)
        y = torch.tensor(labels(case), dtype=torch.long)

        def step():
            optimizer.zero_grad()
            model(**x, labels=y).loss.backward()
            optimizer.step()

        return step
    model = transformers.LongformerModel.from_pretrained(case["folder"]).eval()
    if case.get("policy") == "mixed_bfloat16":
        model = model.to(torch.bfloat16)
    if case.get("jit"):
        model = torch.compile(model)

    def call():
        with torch.no_grad():
            return model(**x).last_hidden_state.float().numpy()

    return call


def torch_classifier(case: dict):
    """A model and its tokenizer."""
    from transformers import LongformerForSequenceClassification
    from transformers import LongformerTokenizerFast

    return (
        LongformerForSequenceClassification.from_pretrained(case["folder"]),
        LongformerTokenizerFast.from_pretrained(case["vocab"]),
    )


def hf_torch_documents(case: dict):
    """A pass over a file of documents, grouped by length as Trainer does."""
    import torch
    import transformers
    from transformers.trainer_pt_utils import LengthGroupedSampler

    model, tokenizer = torch_classifier(case)
    model.train()
    rows = []
    for number, row in enumerate(read_rows(case["file"])):
        ids = tokenizer(row["text"], truncation=True, max_length=case["seq"])[
            "input_ids"
        ]
        rows.append({"input_ids": ids, "labels": number % 2})
    torch.manual_seed(0)
    loader = torch.utils.data.DataLoader(
        rows,
        case["batch"],
        sampler=LengthGroupedSampler(
            case["batch"], lengths=[len(row["input_ids"]) for row in rows]
        ),
        collate_fn=transformers.DataCollatorWithPadding(tokenizer),
    )
    optimizer = torch.optim.AdamW(model.parameters(), 3e-5)

    def one_pass():
        for batch in loader:
            optimizer.zero_grad()
            model(**batch).loss.backward()
            optimizer.step()

    return one_pass


def hf_torch_texts(case: dict):
    """Short texts through the pipeline for classification."""
    import transformers

    model, tokenizer = torch_classifier(case)
    model.eval()
    texts = [row["text"] for row in read_rows(case["file"])]
    texts = texts[: case["texts"]]
    pipeline = transformers.pipeline(
        "text-classification", model=model, tokenizer=tokenizer
    )
    return lambda: pipeline(texts, batch_size=case["batch"])


def hf_roberta(case: dict):
    import torch
    from transformers import RobertaConfig
    from transformers import RobertaModel

    config = RobertaConfig(
        vocab_size=VOCAB,
        num_hidden_layers=case["layers"],
        max_position_embeddings=case["seq"] + 2,
        type_vocab_size=1,
    )
    model = RobertaModel(config).eval()
    given = inputs(case)
    x = {
        n: torch.tensor(given[n], dtype=torch.long)
        for n in ("input_ids", "attention_mask")
    }

    def call():
        with torch.no_grad():
            return model(**x).last_hidden_state.numpy()

    return call


def other_encoder(case: dict):
    """Another encoder for long texts, of base size, with random weights."""
    import torch
    import transformers

    kind, low = case["encoder"], case.get("policy") == "mixed_bfloat16"
    options = {
        # The sizes that its class begins with are those of its base model.
        "ModernBert": {"attn_implementation": "sdpa"},
        "BigBird": {"max_position_embeddings": max(case["seq"], 4096)},
        "LongT5": {
            "encoder_attention_type": "transient-global",
            "vocab_size": VOCAB,
            **{"d_model": 768, "d_ff": 2048, "d_kv": 64},
            **{"num_layers": 12, "num_heads": 12},
            **{"feed_forward_proj": "gated-gelu", "dropout_rate": 0.1},
        },
    }[kind]
    config = getattr(transformers, f"{kind}Config")(**options)
    given = inputs(case)
    x = {
        n: torch.tensor(given[n], dtype=torch.long)
        for n in ("input_ids", "attention_mask")
    }
    if case["work"] == "fit":
        model_class = getattr(transformers, f"{kind}ForSequenceClassification")
        model = model_class(config).train()
        optimizer = torch.optim.AdamW(model.parameters(), 3e-5)
        y = torch.tensor(labels(case), dtype=torch.long)

        def step():
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=low):
                loss = model(**x, labels=y).loss
            loss.backward()
            optimizer.step()

        return step
    name = "LongT5EncoderModel" if kind == "LongT5" else f"{kind}Model"
    model = getattr(transformers, name)(config).eval()
    if low:
        model = model.to(torch.bfloat16)

    def call():
        with torch.no_grad():
            return model(**x).last_hidden_state.float().numpy()

    return call


def flex_attention(case: dict):
    import torch
    from torch.nn.attention import flex_attention as flex

    q, k, v = (torch.tensor(x) for x in heads_of(case))
    given = inputs(case)
    mask = torch.tensor(given["attention_mask"]).bool()
    is_global = torch.tensor(given["global_attention_mask"]).bool()
    radius, seq = case["window"] // 2, case["seq"]

    def seen(b, h, query, key):
        near = (query - key).abs() <= radius
        return (near | is_global[b, key]) & mask[b, key]

    blocks = flex.create_block_mask(
        seen, case["batch"], None, seq, seq, device="cpu"
    )
    compiled = torch.compile(flex.flex_attention)

    def call():
        with torch.no_grad():
            out = compiled(q, k, v, block_mask=blocks)
        return out.transpose(1, 2).reshape(case["batch"], seq, -1).numpy()

    return call


def hf_tf(case: dict):
    import tensorflow as tf
    from transformers import TFLongformerModel

    model = TFLongformerModel.from_pretrained(case["folder"], from_pt=True)
    x = {name: tf.constant(array) for name, array in inputs(case).items()}
    call = tf.function(lambda x: model(**x).last_hidden_state)
    return lambda: call(x).numpy()


# The machine's limit.


def floor(case: dict):
    """Each product at its shape's own rate, and a pass for the rest."""
    import tensorflow as tf

    low = case.get("policy") == "mixed_bfloat16"
    dtype = tf.bfloat16 if low else tf.float32
    batch, seq = case["batch"], case["seq"]
    hidden, inner, heads = 768, 3072, case.get("heads", 12)
    keys = min(case["window"] + 128, seq)
    tokens = batch * seq

    def product(*shapes):
        a, b = (tf.cast(tf.random.normal(s), dtype) for s in shapes)
        call = tf.function(lambda a, b: tf.matmul(a, b))
        return lambda: call(a, b)

    def one_pass(*shape):
        x = tf.cast(tf.random.normal(shape), dtype)
        call = tf.function(lambda x: x + tf.cast(1, dtype))
        return lambda: call(x)

    def gradients(*shapes):
        """Both products of the gradient of one."""
        a, b = shapes
        out = (*a[:-1], b[-1])
        x, w, g = (tf.cast(tf.random.normal(s), dtype) for s in (a, b, out))
        call = tf.function(
            lambda x, w, g: (
                tf.matmul(g, w, transpose_b=True),
                tf.matmul(x, g, transpose_a=True),
            )
        )
        return lambda: call(x, w, g)

    block, blocks = (batch, heads, 128), seq // 128
    scores = ((*block, 64), (batch, heads, 64, keys))
    mixed = ((*block, keys), (batch, heads, keys, 64))
    products = [
        (4, ((tokens, hidden), (hidden, hidden))),
        (1, ((tokens, hidden), (hidden, inner))),
        (1, ((tokens, inner), (inner, hidden))),
    ]
    attention = [
        (blocks, product(*scores)),
        (blocks, product(*mixed)),
        (blocks, one_pass(*block, keys)),
    ]
    dense = [
        *((count, product(*shapes)) for count, shapes in products),
        (1, one_pass(tokens, inner)),
        (2, one_pass(tokens, hidden)),
    ]
    if case["work"] == "fit":
        # Scores, softmax and GELU are made again.
        attention += [
            (blocks, product(*scores)),
            (blocks, gradients(*scores)),
            (blocks, gradients(*mixed)),
            (2 * blocks, one_pass(*block, keys)),
        ]
        dense += [
            *((count, gradients(*shapes)) for count, shapes in products),
            (2, one_pass(tokens, inner)),
            (2, one_pass(tokens, hidden)),
        ]
        # AdamW reads four numbers of a weight and writes three.
        layers = case["layers"]
        rows = VOCAB + seq + layers * (7 * hidden + 2 * inner)
        dense.append((3.5 / layers, one_pass(rows, hidden)))
    parts = attention if case["work"] == "attention" else attention + dense

    def call():
        total = 0.0
        for count, part in parts:
            part()
            start = time.perf_counter()
            repeat = 8 if count >= blocks else 2
            for _ in range(repeat):
                part()
            total += count * (time.perf_counter() - start) / repeat
        return total * case.get("layers", 1)

    call.reports_seconds = True
    return call


PEERS = {
    "ours": ours,
    "ours_documents": ours_documents,
    "ours_fed": ours_fed,
    "ours_texts": ours_texts,
    "saved_model": saved_model,
    "ours_attention": ours_attention,
    "ours_attention_layer": ours_attention_layer,
    "hf_torch": hf_torch,
    "hf_torch_documents": hf_torch_documents,
    "hf_torch_texts": hf_torch_texts,
    "hf_roberta": hf_roberta,
    "other_encoder": other_encoder,
    "hf_tf": hf_tf,
    "flex_attention": flex_attention,
    "floor": floor,
}


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Answers commands until stdin ends."""
    peer, case = sys.argv[1], json.loads(sys.argv[2])
    # Libraries print what they like, answers go where stdout was.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if "onednn" in case:
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = str(int(case["onednn"]))
    call = PEERS[peer](case)
    before = peak_mib()
    for line in sys.stdin:
        command, *arguments = line.split()
        answer: object = {}
        if command == "time":
            answer = []
            for _ in range(int(arguments[0])):
                start = time.perf_counter()
                result = call()
                seconds = time.perf_counter() - start
                if getattr(call, "reports_seconds", False):
                    seconds = result
                answer.append(seconds)
        elif command == "save":
            np.save(arguments[0], call())
        elif command == "peak":
            answer = {"peak": peak_mib(), "before": before}
        elif command == "traces":
            answer = len(getattr(call, "traces", ()))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
