import numpy as np

from fastreid.modeling.losses import cross_domain_masks, same_label
from test.alignment.running import run

TARGETS = np.array([4, 4, 2, 7, 7, 9], np.int32)
DOMAINS = np.array([0, 0, 0, 2, 2, 1], np.int32)


def test_same_label_compares_every_pair(mode):
    got = run(same_label, TARGETS)
    want = [[a == b for b in TARGETS] for a in TARGETS]
    assert got.dtype == np.bool_
    np.testing.assert_array_equal(got, want)


def test_additional_positives_are_the_row_itself_and_all_rows_of_other_domains(mode):
    is_positive, _ = run(cross_domain_masks, TARGETS, DOMAINS)
    for i in range(6):
        for j in range(6):
            assert is_positive[i, j] == (i == j or DOMAINS[i] != DOMAINS[j]), (i, j)


def test_additional_negatives_are_other_identities_of_the_own_domain(mode):
    _, is_negative = run(cross_domain_masks, TARGETS, DOMAINS)
    for i in range(6):
        for j in range(6):
            want = DOMAINS[i] == DOMAINS[j] and TARGETS[i] != TARGETS[j]
            assert is_negative[i, j] == want, (i, j)


def test_in_a_single_domain_the_only_positive_is_the_row_itself(mode):
    is_positive, _ = run(cross_domain_masks, TARGETS, np.ones(6, np.int32))
    np.testing.assert_array_equal(is_positive, np.eye(6, dtype=bool))


def test_an_identity_alone_in_its_domain_has_no_negative(mode):
    _, is_negative = run(cross_domain_masks, TARGETS, DOMAINS)
    assert not is_negative[5].any()
