"""What is loaded of a model of the hub is of one commit.

The first file that is found says which one; nothing is asked of the branch any
more, which may have got another commit meanwhile.
"""

import pytest
from checkpoints.hub_server import COMMIT
from finetuning.conftest import eagerly  # noqa: F401
from helpers import small_tasks

import tf_longformer
from tf_longformer.finetuning.arguments import Arguments
from tf_longformer.finetuning.fine_tune import fine_tune
from tf_longformer.loading import Checkpoint
from tf_longformer.loading import convert_to_longformer

pytest.importorskip("huggingface_hub", reason="the extra [hub] isn't installed")
from checkpoints.conftest import hf  # noqa: E402, F401
from checkpoints.test_hub import hub  # noqa: E402, F401
from checkpoints.test_hub import revisions  # noqa: E402

NAME = "someone/small"


@pytest.fixture
def small(hub, tmp_path):  # noqa: F811
    """The hub, with a tiny model and its tokenizer."""
    source = small_tasks.write_model(tmp_path / "source")
    hub.files[NAME] = {
        path.name: path.read_bytes() for path in source.iterdir()
    }
    return hub


def assert_one_commit(small):
    asked = revisions(small)
    assert set(asked) == {"main", COMMIT}
    assert "main" not in asked[asked.index(COMMIT) :]


def test_a_tokenizer_that_is_loaded_later(small):
    checkpoint = Checkpoint(NAME)
    # The branch has gone on to a commit that this hub doesn't give.
    small.revisions.remove("main")
    tokenizer = checkpoint.load_tokenizer()
    assert len(tokenizer) == checkpoint.load_model().config.vocab_size
    assert_one_commit(small)


def test_an_encoder_that_is_converted(small):
    model = convert_to_longformer(NAME, 32, 8)
    assert model.config.max_tokens == 32
    assert_one_commit(small)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")
@pytest.mark.parametrize("from_scratch", [False, True])
def test_a_run_of_fine_tuning(small, tmp_path, from_scratch):
    given = Arguments(
        task="masked-lm",
        model=NAME,
        train=small_tasks.write(tmp_path / "train.jsonl", "masked-lm", 4, 0),
        output=tmp_path / "output",
        batch_size=4,
        steps=1,
        from_scratch=from_scratch,
    )
    fine_tune(given, lambda line: None, verbose=0)
    assert_one_commit(small)
    model = tf_longformer.TFLongformerForMaskedLM.from_pretrained(given.output)
    tokenizer = Checkpoint(str(given.output)).load_tokenizer()
    assert len(tokenizer) == model.config.vocab_size
