"""Folders of sentence-transformers.

That it opens what is written, and makes the same vectors of texts within
`max_seq_length`, was seen with its version 6.2; it isn't needed here.
"""

import json
import math
import shutil

import numpy as np
import pytest
from tasks.small_texts import LONG
from tasks.small_texts import SHORT
from tasks.small_texts import make

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForTokenClassification
from tf_longformer import TFLongformerModel
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.locate import locate
from tf_longformer.loading import convert_to_keras
from tf_longformer.projections import ACTIVATIONS
from tf_longformer.tasks import Projection
from tf_longformer.tasks import embed
from tf_longformer.tasks import save_sentence_transformer
from tf_longformer.tasks import sentence_transformer_options


def test_what_is_written_is_read(tokenizer, tmp_path):
    model = make("Model", tokenizer)
    model.save_pretrained(tmp_path / "plain")
    assert sentence_transformer_options(tmp_path / "plain") == {}
    options = {"pooling": "cls", "normalize": False, "max_length": 17}
    save_sentence_transformer(model, tokenizer, tmp_path / "cls", **options)
    assert sentence_transformer_options(tmp_path / "cls") == options
    save_sentence_transformer(model, tokenizer, tmp_path / "mean")
    known = sentence_transformer_options(tmp_path / "mean")
    assert known == {"pooling": "mean", "normalize": True, "max_length": 35}
    found = embed(
        TFLongformerModel.from_pretrained(tmp_path / "cls"),
        LongformerTokenizerFast.from_pretrained(tmp_path / "cls"),
        [SHORT, LONG],
        **options,
    )
    expected = embed(model, tokenizer, [SHORT, LONG], **options)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    for wrong in ({"pooling": "max"}, {"max_length": 36}):
        with pytest.raises(ValueError, match="`pooling` must be one of"):
            save_sentence_transformer(
                model, tokenizer, tmp_path / "wrong", **wrong
            )
    assert not (tmp_path / "wrong").exists()


def write(folder, kinds, pooling, settings=None):
    paths = {"Transformer": "", "Pooling": "1_Pooling"}
    modules = [
        {
            "type": f"sentence_transformers.x.{kind}",
            "path": paths.get(kind, f"2_{kind}"),
        }
        for kind in kinds
    ]
    (folder / "1_Pooling").mkdir(exist_ok=True)
    for name, content in (
        ("config.json", {"model_type": "longformer"}),
        ("modules.json", modules),
        ("1_Pooling/config.json", pooling),
        ("sentence_bert_config.json", settings or {}),
    ):
        (folder / name).write_text(json.dumps(content))


def test_what_others_wrote(tmp_path):
    kinds = ["Transformer", "Pooling", "Normalize"]
    for pooling, expected in (
        ({"pooling_mode_cls_token": True}, "cls"),
        (
            {"pooling_mode_mean_tokens": True, "pooling_mode_lasttoken": 0},
            "mean",
        ),
        ({"pooling_mode": "cls", "embedding_dimension": 3}, "cls"),
    ):
        write(tmp_path, kinds, pooling)
        found = sentence_transformer_options(tmp_path)
        assert found == {"pooling": expected, "normalize": True}
    write(tmp_path, kinds[:2], {"pooling_mode": "mean"}, {"max_seq_length": 9})
    found = sentence_transformer_options(tmp_path)
    assert found == {"pooling": "mean", "normalize": False, "max_length": 9}
    settings = {"max_seq_length": 514}
    write(tmp_path, kinds[:2], {"pooling_mode": "cls"}, settings)
    limit = {"model_type": "roberta", "max_position_embeddings": 514}
    (tmp_path / "config.json").write_text(json.dumps(limit))
    assert sentence_transformer_options(tmp_path)["max_length"] == 512
    for wrong in (
        {"pooling_mode": "lasttoken"},
        {"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": True},
        {"pooling_mode": "another"},
    ):
        write(tmp_path, kinds, wrong)
        with pytest.raises(ValueError, match="pooling must be one of"):
            sentence_transformer_options(tmp_path)
    for others in (
        ["Pooling", "LayerNorm"],
        ["Pooling", "Normalize", "Dense"],
        ["Dense", "Pooling"],
        ["Normalize"],
    ):
        write(tmp_path, ["Transformer", *others], {})
        match = f"Received: Transformer, {', '.join(others)} in"
        with pytest.raises(ValueError, match=match):
            sentence_transformer_options(tmp_path)
    for damaged in ("{", '{"a": 1}', '[{"type": 3, "path": ""}]', "[1]"):
        (tmp_path / "modules.json").write_text(damaged)
        with pytest.raises(ValueError, match="must list modules"):
            sentence_transformer_options(tmp_path)
    for elsewhere in ("../other", "/etc", "a/b", ".."):
        for given in ("1_Pooling", "2_Dense"):
            write(tmp_path, [*kinds[:2], "Dense"], {})
            modules = (tmp_path / "modules.json").read_text()
            modules = modules.replace(given, elsewhere)
            (tmp_path / "modules.json").write_text(modules)
            with pytest.raises(ValueError, match="must name folders within"):
                sentence_transformer_options(tmp_path)
    write(tmp_path, kinds[:2], {}, {"max_seq_length": "9"})
    with pytest.raises(ValueError, match="must be a number of tokens"):
        sentence_transformer_options(tmp_path)


def by_hand(vectors, projections):
    """What sentence-transformers computes, in NumPy."""
    erf = np.vectorize(math.erf, otypes=["float64"])
    functions = {
        "linear": lambda x: x,
        "relu": lambda x: np.maximum(x, 0),
        "tanh": np.tanh,
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "silu": lambda x: x / (1 + np.exp(-x)),
        "gelu": lambda x: x * (1 + erf(x / 2**0.5)) / 2,
    }
    for one in projections:
        bias = 0 if one.bias is None else one.bias
        vectors = functions[one.activation](vectors @ one.kernel + bias)
    return vectors


def draw(*widths, activation="linear", bias=True):
    rng = np.random.default_rng(widths)
    biases = rng.normal(size=widths[1]) if bias else None
    return Projection(rng.normal(size=widths), biases, activation)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_projections(tokenizer, activation):
    model = make("Model", tokenizer)
    plain = embed(model, tokenizer, [SHORT, LONG], normalize=False)
    width = plain.shape[-1]
    first = draw(width, 7, activation=activation)
    for projections in ((first,), (first, draw(7, 13, activation="tanh"))):
        options = {"projections": projections, "normalize": False}
        found = embed(model, tokenizer, [SHORT, LONG], **options)
        expected = by_hand(plain, projections)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        assert embed(model, tokenizer, [], **options).shape == (
            0,
            projections[-1].kernel.shape[1],
        )
    # They come before the length, and a text that is alone has them too.
    found = embed(model, tokenizer, SHORT, projections=projections)
    expected = expected[0] / np.linalg.norm(expected[0])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    # Spans have them as texts have.
    given = {"spans": "sentences", "normalize": False}
    plain = embed(model, tokenizer, LONG, **given)
    found = embed(model, tokenizer, LONG, **given, projections=projections)
    for one, other in zip(plain, found, strict=True):
        np.testing.assert_allclose(
            other["embedding"],
            by_hand(one["embedding"], projections),
            rtol=1e-4,
            atol=1e-5,
        )


def test_projections_of_other_widths(tokenizer, tmp_path):
    model = make("Model", tokenizer)
    wrong = {"projections": [draw(model.config.hidden_size + 1, 7)]}
    with pytest.raises(ValueError, match="must take vectors as they come"):
        embed(model, tokenizer, SHORT, **wrong)
    with pytest.raises(ValueError, match="must take vectors as they come"):
        save_sentence_transformer(model, tokenizer, tmp_path / "a", **wrong)
    with pytest.raises(TypeError, match="`projections` must be"):
        embed(model, tokenizer, SHORT, projections=[SHORT])


def test_a_prompt_is_named(tmp_path, caplog):
    write(tmp_path, ["Transformer", "Pooling"], {})
    prompts = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    path = tmp_path / "config_sentence_transformers.json"
    path.write_text(json.dumps(prompts))
    found = sentence_transformer_options(tmp_path)
    assert found == {"pooling": "mean", "normalize": False}
    assert "puts 'query: ' before each text" in caplog.text


@pytest.mark.parametrize("dense", [0, 2])
def test_settings_go_with_the_weights(tokenizer, tmp_path, dense):
    """In whatever way a model is loaded, changed and saved again."""
    source = tmp_path / "source"
    model = make("Model", tokenizer)
    width = model.config.hidden_size
    given = (draw(width, 7, activation="gelu"), draw(7, 5, bias=False))[:dense]
    cls = {"pooling": "cls", "normalize": dense > 0}
    save_sentence_transformer(
        model, tokenizer, source, **cls, max_length=17, projections=given
    )
    prompts = {"prompts": {"query": "query: "}}
    path = source / "config_sentence_transformers.json"
    path.write_text(json.dumps(prompts))
    loaded = TFLongformerModel.from_pretrained(source)
    loaded.save_pretrained(tmp_path / "saved", dtype="float16")
    loaded.save_pretrained(tmp_path / "h5", "h5")
    loaded.extend_positions(50)
    loaded.save_pretrained(tmp_path / "extended")
    longer = TFLongformerModel.from_pretrained(source, max_tokens=60)
    longer.save_pretrained(tmp_path / "longer")
    convert(locate(source), tmp_path / "converted", "h5")
    convert(locate(source), tmp_path / "made", max_tokens=70)
    convert_to_keras(locate(source), tmp_path / "keras", max_tokens=80)
    lengths = {
        **{"saved": 17, "h5": 17, "extended": 50, "longer": 60},
        **{"converted": 17, "made": 70, "keras": 80},
    }
    for name, length in lengths.items():
        found = sentence_transformer_options(tmp_path / name)
        kept = found.pop("projections", ())
        for one, other in zip(kept, given, strict=True):
            assert one.activation == other.activation
            np.testing.assert_array_equal(one.kernel, other.kernel)
            np.testing.assert_array_equal(one.bias, other.bias)
        assert found == {**cls, "max_length": length}, name
        path = tmp_path / name / "config_sentence_transformers.json"
        assert json.loads(path.read_text()) == prompts
    # What `embed` doesn't have goes along too; what isn't of that kind stays
    # behind, as does what was there before.
    write(source, ["Transformer", "Pooling"], {"pooling_mode": ["max", "cls"]})
    model.save_pretrained(source)
    convert(locate(source), tmp_path / "made")
    with pytest.raises(ValueError, match="Received: cls and max of"):
        sentence_transformer_options(tmp_path / "made")
    write(source, ["Transformer", "Pooling", "LayerNorm"], {})
    model.save_pretrained(source)
    convert(locate(source), tmp_path / "made")
    assert sentence_transformer_options(tmp_path / "made") == {}


def test_a_head_leaves_them_behind(tokenizer, tmp_path):
    """A classifier of a folder of vectors makes no vectors."""
    source, copied = tmp_path / "source", tmp_path / "copied"
    save_sentence_transformer(make("Model", tokenizer), tokenizer, source)
    shutil.copytree(source, copied)
    model = TFLongformerForTokenClassification.from_pretrained(source)
    # Also in the place of the model that it comes from.
    for folder in (tmp_path / "new", copied):
        model.save_pretrained(folder)
        assert sentence_transformer_options(folder) == {}
    # The converter has a head that the body was saved with.
    shutil.copyfile(source / "modules.json", copied / "modules.json")
    convert(locate(copied), tmp_path / "converted")
    assert sentence_transformer_options(tmp_path / "converted") == {}
