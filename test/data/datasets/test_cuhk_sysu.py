import pytest

from fastreid.data.datasets import cuhkSYSU
from test.data.datasets.layouts import names_of, write_sysu


def test_training_uses_the_crops_and_evaluation_the_reid_version(tmp_path):
    write_sysu(tmp_path)
    sysu = cuhkSYSU(tmp_path)
    assert names_of(sysu.train) == [
        ("p100_s1_2.jpg", "cuhkSYSU_100", "cuhkSYSU_0"),
        ("p7_s3_4.jpg", "cuhkSYSU_7", "cuhkSYSU_0"),
        ("p7_s5_1.jpg", "cuhkSYSU_7", "cuhkSYSU_0"),
    ]
    assert names_of(sysu.query) == [("00005_s2_0000000_0.jpg", 5, 0)]
    assert names_of(sysu.gallery) == [("00005_s4_0000001_0.jpg", 5, 1)]


def test_combineall_adds_nothing(tmp_path):
    write_sysu(tmp_path)
    assert cuhkSYSU(tmp_path, combineall=True).train == cuhkSYSU(tmp_path).train


def test_training_alone_needs_no_reid_version(tmp_path):
    write_sysu(tmp_path)
    (tmp_path / "cuhksysu4reid").rename(tmp_path / "elsewhere")
    assert len(cuhkSYSU(tmp_path).train) == 3
    with pytest.raises(FileNotFoundError, match=r"cuhkSYSU: the folder .*query is missing"):
        cuhkSYSU(tmp_path).query  # noqa: B018
