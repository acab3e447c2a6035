import numpy as np
import pytest

from fastreid.utils.labels import (
    LARGEST,
    SMALLEST,
    common_spellings,
    describe_labels,
    normal_form,
    number_labels,
    shown_label,
    whole_number,
    whole_numbers,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        ("007", 7),
        ("+7", 7),
        (" 7\t", 7),
        ("-1", -1),
        ("-01", -1),
        ("-0", 0),
        ("0000", 0),
        ("8123101712", 8123101712),
        (str(LARGEST), LARGEST),
        (str(SMALLEST), SMALLEST),
        ("0" * 5000 + "7", 7),
    ],
)
def test_decimal_digits_with_or_without_a_sign_are_a_number(text, number):
    assert normal_form(text) == number


@pytest.mark.parametrize(
    "text",
    ["anna", "1_000", "7.0", "1e3", "0x7", "٧", "７", "²", "7a", "1 000", "--7", "+", "−7", "安娜"],
)
def test_any_other_text_is_a_name(text):
    assert normal_form(text) == text


def test_names_are_compared_exactly_but_for_white_space_around_them():
    assert normal_form(" Anna ") == "Anna"
    assert normal_form("anna") != normal_form("Anna")


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        (str(LARGEST + 1), "9223372036854775808"),
        (str(SMALLEST - 1), "-9223372036854775809"),
        ("9" * 5000, "9" * 60 + r"\.\.\. "),
    ],
)
def test_a_number_beyond_64_bits_is_refused_by_name(text, reported):
    for read in (normal_form, whole_number):
        with pytest.raises(
            ValueError, match=f"number {reported}.*not fit into 64 bits.*letter before"
        ):
            read(text)


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_an_empty_text_is_refused(text):
    with pytest.raises(ValueError, match="the label is empty"):
        normal_form(text)


@pytest.mark.parametrize("value", [7, np.int32(7), np.uint64(7), 7.0, "007"])
def test_whole_numbers_of_any_type_are_read(value):
    assert whole_number(value) == 7
    assert type(whole_number(value)) is int


@pytest.mark.parametrize("value", [7.5, "anna", "7.0", None, True, float("nan"), 2.0**60, b"7"])
def test_other_values_than_whole_numbers_are_an_error(value):
    with pytest.raises(ValueError, match="is not a whole number"):
        whole_number(value)


@pytest.mark.parametrize(
    "values",
    [
        np.array([3, -1], np.int8),
        np.array([3.0, -1.0]),
        [3, -1],
        np.array([3, -1], object),
        np.array(["3", "-01"]),
    ],
)
def test_columns_become_int64(values):
    got = whole_numbers(values, "pid")
    assert (got.dtype, got.tolist()) == (np.int64, [3, -1])


def test_64_bit_columns_keep_their_digits():
    values = [LARGEST, SMALLEST, 2**53 + 1]
    assert whole_numbers(values, "pid").tolist() == values
    assert whole_numbers(np.array([LARGEST], np.uint64), "pid").tolist() == [LARGEST]
    assert whole_numbers(np.empty(0), "pid").tolist() == []


@pytest.mark.parametrize(
    ("values", "reported"),
    [
        (np.array([2**63], np.uint64), "pid: the number 9223372036854775808 does not fit"),
        ([2**64], "pid: the number 18446744073709551616 does not fit"),
        (np.array([1, 7.5]), "pid .*7.5.* is not a whole number"),
        (np.array([np.nan]), "pid .*nan.* is not a whole number"),
        (np.array([2.0**53 + 2]), "pid .*9007199254740994.* is not a whole number that a float"),
        ([LARGEST, 2**63], "pid.* 9223372036854775808 |pid.*e"),
        (np.array(["anna"]), "pid: 'anna' is not a whole number"),
    ],
)
def test_columns_that_would_lose_digits_are_refused(values, reported):
    with pytest.raises(ValueError, match=reported):
        whole_numbers(values, "pid")


def test_numbers_keep_their_values_next_to_names():
    numbers = {"10": 10, "010": 10, "11": 11, "0": 0, str(LARGEST): LARGEST}
    assert number_labels(numbers) == numbers
    # Names get the smallest numbers that are free, in sorted order.
    assert number_labels([*numbers, "bob", "anna", "1_0"]) == {
        **numbers,
        "1_0": 1,
        "anna": 2,
        "bob": 3,
    }
    assert number_labels(["west", "east"]) == {"east": 0, "west": 1}


def test_one_spelling_stays_and_several_become_the_number():
    texts = ["007", "7", "0012", "anna", "+3"]
    assert common_spellings(texts) == {
        "007": "7",
        "7": "7",
        "0012": "0012",
        "anna": "anna",
        "+3": "+3",
    }


def test_surprising_conversions_are_described():
    assert describe_labels(["7", "8", "0012", "anna"], "identities") == []
    joined, odd = describe_labels(["007", "7", "7.0", "1e3", "nan"], "identities")
    assert joined == "1 identities have several spellings, which are treated as one: 007/7."
    assert odd.startswith("3 identities look like numbers but are treated as names: 1e3, 7.0, nan.")


@pytest.mark.parametrize(
    ("number", "name", "shown"),
    [
        (7, "", "7"),
        (7, "007", "7"),
        (0, "anna", "anna"),
        (1, "7", "7"),
        (0, "9" * 30, "9" * 30),
        (-1, "  ", "-1"),
    ],
)
def test_a_name_is_shown_unless_it_spells_the_number(number, name, shown):
    assert shown_label(number, name) == shown
