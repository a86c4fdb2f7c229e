"""Labels of words as entities: the scheme, and where entities begin and end."""

import pytest

from tf_longformer.entity_schemes import canonical_scheme
from tf_longformer.entity_schemes import entity_spans
from tf_longformer.entity_schemes import find_scheme
from tf_longformer.entity_schemes import read_labels
from tf_longformer.entity_schemes import strict_entity_spans


def spans(labels, scheme=None):
    read = read_labels(labels.split())
    row = [read[name] for name in labels.split()]
    if scheme is None:
        return entity_spans(row)
    return strict_entity_spans(row, scheme)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ("B-A I-A O B-A B-A", [("A", 0, 2), ("A", 3, 4), ("A", 4, 5)]),
        # What doesn't add up, and another case.
        (
            "I-A I-B O i-a b-a",
            [("A", 0, 1), ("B", 1, 2), ("a", 3, 4), ("a", 4, 5)],
        ),
        (
            "B-A E-A I-A S-A I-A",
            [("A", 0, 2), ("A", 2, 3), ("A", 3, 4), ("A", 4, 5)],
        ),
        ("B-A L-A U-A I-A", [("A", 0, 2), ("A", 2, 3), ("A", 3, 4)]),
        # Types with a hyphen, types alone, and markers alone.
        ("B-X-ray I-X-ray", [("X-ray", 0, 2)]),
        ("E-mail E-mail O", [("E-mail", 0, 2)]),
        ("B I O B o", [("_", 0, 2), ("_", 3, 4)]),
        ("S-A S-A O", [("A", 0, 1), ("A", 1, 2)]),
    ],
)
def test_entities_are_what_labels_of_one_type_in_a_row_say(labels, found):
    assert spans(labels) == found


@pytest.mark.parametrize(
    ("scheme", "labels", "found"),
    [
        ("BIO", "I-A B-A I-A I-B", [("A", 1, 3)]),
        ("BIOES", "B-A I-A O B-A E-A S-B", [("A", 3, 5), ("B", 5, 6)]),
        ("BILOU", "L-A B-A L-A B-A U-B", [("A", 1, 3), ("B", 4, 5)]),
        ("IOB1", "I-A I-A B-A O B-A", [("A", 0, 2), ("A", 2, 3)]),
    ],
)
def test_in_strict_mode_markers_must_add_up(scheme, labels, found):
    assert spans(labels, scheme) == found


def test_schemes_are_found_and_named():
    assert find_scheme({"O", "I-A", "B-A"}) == "BIO"
    assert find_scheme({"O", "I-A", "e-A", "B-A"}) == "BIOES"
    assert find_scheme({"U-A", "B-A"}) == "BILOU"
    assert canonical_scheme("IOBES") == "BIOES"
    for names in ({"B-A", "S-A", "L-A"}, {"B-A", "A"}):
        with pytest.raises(ValueError, match="must follow BIO, BIOES or BILOU"):
            find_scheme(names)
    with pytest.raises(ValueError, match="one of BIO, .*Received: 'BOI'"):
        canonical_scheme("BOI")
