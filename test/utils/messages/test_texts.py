import os

import pytest

from fastreid.utils.messages.texts import list_some, printable


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("plain.jpg", "plain.jpg"),
        ("Zoë.jpg", "Zoë.jpg"),
        (os.fsdecode(b"a\xc4\xe3.jpg"), "a\\xc4\\xe3.jpg"),
        ("\ud83d!", "\\ud83d!"),
    ],
)
def test_names_that_are_not_utf8_become_printable(text, printed):
    assert printable(text) == printed
    printable(text).encode("utf-8")


def test_lists_stay_short():
    assert list_some([3, 1, 2]) == "1, 2, 3"
    assert list_some("gfedcba") == "a, b, c, d, e, ..."
