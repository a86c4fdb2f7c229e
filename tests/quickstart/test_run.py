import numpy as np
import pytest

from tf_longformer.quickstart.run import require_equal


def test_equal_logits_give_their_relative_difference():
    expected = np.array([[1.0, -4.0]])
    assert require_equal("It", expected.copy(), expected) == 0.0
    assert require_equal("It", expected + 2e-4, expected) == pytest.approx(5e-5)


@pytest.mark.parametrize(
    "found",
    [
        np.array([[1.0, -4.001]]),
        np.array([[1.0, np.nan]]),
        np.array([[1.0, -4.0, 0.0]]),
    ],
)
def test_other_logits_are_an_error(found):
    with pytest.raises(RuntimeError, match="^It (differs|gives)"):
        require_equal("It", found, np.array([[1.0, -4.0]]))
