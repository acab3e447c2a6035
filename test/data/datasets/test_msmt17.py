import pytest

from fastreid.data.datasets import MSMT17
from test.data.datasets.layouts import names_of, touch, write_msmt


def test_lists_give_identities_and_file_names_cameras(tmp_path):
    write_msmt(tmp_path)
    msmt = MSMT17(tmp_path)
    assert names_of(msmt.train) == [
        ("0000_000_15_m_0.jpg", "MSMT17_0", "MSMT17_14"),
        ("0001_000_02_m_0.jpg", "MSMT17_1", "MSMT17_1"),
    ]
    assert names_of(msmt.query) == [("0000_000_01_m_0.jpg", 2, 0)]
    assert names_of(msmt.gallery) == [("0000_001_04_m_0.jpg", 2, 3), ("0001_000_03_m_0.jpg", 3, 2)]


def test_combineall_adds_validation_query_and_gallery(tmp_path):
    write_msmt(tmp_path)
    items = names_of(MSMT17(tmp_path, combineall=True).train)
    assert ("0000_001_01_m_0.jpg", "MSMT17_0", "MSMT17_0") in items
    assert ("0001_000_03_m_0.jpg", "MSMT17_test_3", "MSMT17_test_2") in items
    assert len(items) == 6


def test_version_1_is_preferred_and_version_2_is_read(tmp_path):
    write_msmt(tmp_path, "MSMT17_V2", "mask_train_v2", "mask_test_v2")
    assert MSMT17(tmp_path).version == "MSMT17_V2"
    assert "mask_train_v2" in MSMT17(tmp_path).train[0][0]
    write_msmt(tmp_path)
    assert MSMT17(tmp_path).version == "MSMT17_V1"


def test_a_missing_version_list_or_image_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither .*MSMT17_V1 nor .*MSMT17_V2 exists"):
        MSMT17(tmp_path)
    folder = write_msmt(tmp_path)
    (folder / "test" / "0001" / "0001_000_03_m_0.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"0001_000_03_m_0\.jpg, listed in .*gallery\.txt"):
        MSMT17(tmp_path).gallery  # noqa: B018
    (folder / "list_query.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"the file .*list_query\.txt is missing"):
        MSMT17(tmp_path).query  # noqa: B018


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_from_windows_give_the_same(tmp_path, encoding):
    folder = write_msmt(tmp_path)
    expected = MSMT17(tmp_path).train
    for name in ("list_train.txt", "list_query.txt", "list_gallery.txt"):
        text = (folder / name).read_text(encoding="utf-8")
        changed = text.replace("/", "\\").replace("\n", " \r\n")
        (folder / name).write_bytes(changed.encode(encoding))
    assert MSMT17(tmp_path).train == expected
    assert names_of(MSMT17(tmp_path).query) == [("0000_000_01_m_0.jpg", 2, 0)]


def test_images_may_have_other_suffixes_and_spaces_than_the_list_says(tmp_path):
    folder = write_msmt(tmp_path)
    image = folder / "test" / "0000" / "0000_000_01_m_0.jpg"
    image.rename(image.with_suffix(".JPG"))
    assert names_of(MSMT17(tmp_path).query) == [("0000_000_01_m_0.JPG", 2, 0)]
    touch(folder / "test", "0000/0000_000_01_m 1.jpg")
    (folder / "list_query.txt").write_text("0000/0000_000_01_m 1.jpg\t0\n")
    assert names_of(MSMT17(tmp_path).query) == [("0000_000_01_m 1.jpg", 2, 0)]


@pytest.mark.parametrize("line", ["0000/a.jpg", "0000/a.jpg one", "a b c"])
def test_a_broken_line_is_named(tmp_path, line):
    folder = write_msmt(tmp_path)
    (folder / "list_query.txt").write_text(f"0000/0000_000_01_m_0.jpg 0\n{line}\n")
    with pytest.raises(ValueError, match=r"line 2 of .*list_query\.txt is"):
        MSMT17(tmp_path).query  # noqa: B018


def test_an_empty_list_is_named(tmp_path):
    (write_msmt(tmp_path) / "list_train.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"the list .*list_train\.txt is empty"):
        MSMT17(tmp_path).train  # noqa: B018


def test_an_image_without_a_camera_is_named(tmp_path):
    folder = write_msmt(tmp_path)
    touch(folder / "test", "0000/portrait.jpg")
    (folder / "list_query.txt").write_text("0000/portrait.jpg 0\n")
    with pytest.raises(ValueError, match=r"the name of 0000/portrait\.jpg does not start with"):
        MSMT17(tmp_path).query  # noqa: B018


@pytest.mark.parametrize("number", [str(2**63), "٧"])
def test_an_identity_that_is_not_an_integer_of_64_bits_is_named(tmp_path, number):
    folder = write_msmt(tmp_path)
    lines = (folder / "list_query.txt").read_text().replace(" 0", f" {number}")
    (folder / "list_query.txt").write_text(lines, encoding="utf-8")
    with pytest.raises(ValueError, match=f"MSMT17: line 1 of .*list_query.txt: .*{number}"):
        MSMT17(tmp_path).query  # noqa: B018


def test_a_path_of_windows_is_named_with_its_line(tmp_path):
    folder = write_msmt(tmp_path)
    lines = (folder / "list_query.txt").read_text()
    (folder / "list_query.txt").write_text(f"{lines}D:\\msmt\\0000_000_01_m_9.jpg 1\n")
    with pytest.raises(ValueError, match=r"path D:/msmt/0000.* in line 2 of .*list_query\.txt is"):
        MSMT17(tmp_path).query  # noqa: B018


def test_a_test_identity_whose_new_number_exceeds_64_bits_is_rejected(tmp_path):
    folder = write_msmt(tmp_path)
    lines = (folder / "list_query.txt").read_text().replace(" 0", f" {2**63 - 1}")
    (folder / "list_query.txt").write_text(lines, encoding="utf-8")
    with pytest.raises(ValueError, match="MSMT17, query, item 0: the number .* does not fit"):
        MSMT17(tmp_path).query  # noqa: B018


@pytest.mark.parametrize("name", ["../../a/0000_000_01_m_0.jpg", "/a/0000_000_01_m_0.jpg"])
def test_images_outside_of_the_folder_are_refused(name, tmp_path):
    (write_msmt(tmp_path) / "list_query.txt").write_text(f"{name} 0\n")
    with pytest.raises(ValueError, match=r"in line 1 of .*list_query\.txt leads out of"):
        MSMT17(tmp_path).query  # noqa: B018
