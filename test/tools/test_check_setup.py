import hashlib

import pytest

from demo_data import Sizes, make_demo_data
from tools import check_setup


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Empty folders of data sets and of weights."""
    for variable in ("FASTREID_DATASETS", "FASTREID_CACHE", "TORCH_HOME"):
        folder = tmp_path / variable
        folder.mkdir()
        monkeypatch.setenv(variable, str(folder))
    return tmp_path


def printed(capsys, *words):
    code = check_setup.main(list(words))
    return code, capsys.readouterr().out


def test_what_is_missing_is_listed_with_where_to_get_it(folders, capsys):
    code, text = printed(capsys, "--protocol", "2")
    assert code == 1
    assert "[ ] ImageNet weights of build_meta_dynamic_router_resnet_backbone 50x" in text
    assert "Download https://github.com/XingangPan/IBN-Net" in text
    assert "[ ] Market1501 (for protocol2)" in text
    assert "Market-1501-v15.09.15.zip, MD5 65005ab7d12ec1c44de4eeafe813e68a" in text
    assert "expected for protocol2, identities/images: train 751/12936, query 750/3368" in text
    assert "where to get it: on request from the authors, https://www.pkuvmc.com" in text
    assert "5 missing: ImageNet weights" in text


def test_data_that_are_there_are_counted_and_hashed(folders, capsys):
    make_demo_data(folders / "FASTREID_DATASETS", sizes=Sizes(5, 5, 4))
    code, text = printed(capsys, "--protocol", "2", "--method", "ACL-demo")
    assert code == 0
    assert "[x] ImageNet weights" in text
    assert "not needed: MODEL.BACKBONE.PRETRAIN is False" in text
    assert "[x] MSMT17 (for protocol2)" in text
    assert "version MSMT17_V1" in text
    assert "train: 5 identities, 20 images, hash of the list" in text
    assert text.count("demo data: the persons are drawn") == 4
    assert "0 missing" in text


def test_weights_with_another_hash_than_their_name_says_are_damaged(folders, capsys):
    name = "resnet50_ibn_a-d9d0bb7b.pth"
    file = folders / "FASTREID_CACHE" / name
    file.write_bytes(b"not weights")
    digits = hashlib.sha256(b"not weights").hexdigest()
    _, text = printed(capsys, "--protocol", "2")
    assert f"SHA-256 {digits}, but the name says d9d0bb7b...: damaged; download it again" in text


def test_all_protocols_are_checked_together_by_default(folders, capsys):
    _, text = printed(capsys)
    assert "[ ] CUHK02 (for protocol1, protocol1_duke)" in text
    assert "withdrew it in 2019" in text


def test_an_unknown_protocol_is_refused():
    with pytest.raises(ValueError, match="no protocol '9'"):
        check_setup.main(["--protocol", "9"])
