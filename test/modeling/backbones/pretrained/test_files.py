import re
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
import torch

from fastreid.modeling.backbones.pretrained import find_pretrained, read_pretrained
from fastreid.utils.checkpoint.formats.pth_writer import write_pth
from fastreid.utils.checkpoint.weights_file import write_weights
from test.modeling.backbones.test_resnet import tiny_cfg

PUBLISHED = "resnet50_ibn_a-d9d0bb7b"
R50_IBN = {"DEPTH": "50x", "WITH_IBN": True}


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """The cache folders of this toolbox and of PyTorch, both empty."""
    folders = {"FASTREID_CACHE": tmp_path / "own", "TORCH_HOME": tmp_path / "torch"}
    for variable, folder in folders.items():
        folder.mkdir()
        monkeypatch.setenv(variable, str(folder))
    return list(folders.values())


def put(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()
    return folder / name


def test_published_weights_are_looked_for_in_the_cache_folder(caches):
    cfg = tiny_cfg(**R50_IBN)
    path = put(caches[0], f"{PUBLISHED}.pth")
    assert find_pretrained(cfg) == path


# From the last place to the first, so that each new one comes before what is there.
PLACES = [
    (1, "hub/checkpoints"),
    (1, "checkpoints"),
    (1, ""),
    (0, "hub/checkpoints"),
    (0, "checkpoints"),
    (0, ""),
]


def test_every_folder_is_searched_in_order_for_both_suffixes(caches):
    cfg = tiny_cfg(**R50_IBN)
    for cache, inside in PLACES:
        converted = put(caches[cache] / inside, f"{PUBLISHED}.ckpt")
        assert find_pretrained(cfg) == converted
        published = put(caches[cache] / inside, f"{PUBLISHED}.pth")
        assert find_pretrained(cfg) == published


def test_without_variables_the_usual_cache_folders_are_taken(tmp_path, monkeypatch):
    for variable in ("FASTREID_CACHE", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    cfg = tiny_cfg(**R50_IBN)
    theirs = put(tmp_path / ".cache/torch/hub/checkpoints", f"{PUBLISHED}.pth")
    assert find_pretrained(cfg) == theirs
    own = put(tmp_path / ".cache/fastreid", f"{PUBLISHED}.pth")
    assert find_pretrained(cfg) == own
    own.unlink()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    moved = put(tmp_path / "xdg/torch/checkpoints", f"{PUBLISHED}.pth")
    assert find_pretrained(cfg) == moved


def test_a_missing_file_lists_the_searched_folders_and_the_remedy(caches):
    with pytest.raises(FileNotFoundError) as error:
        find_pretrained(tiny_cfg(**R50_IBN))
    message = str(error.value)
    assert message.startswith(f"The ImageNet weights {PUBLISHED}.pth or {PUBLISHED}.ckpt are in ")
    for cache, inside in PLACES:
        assert str(caches[cache] / inside) in message
    assert "https://github.com/XingangPan/IBN-Net/releases/download/v1.0/" in message
    assert f"put it into {caches[0]}," in message
    assert "MODEL.BACKBONE.PRETRAIN False trains from scratch" in message


def test_a_file_of_the_same_network_is_pointed_to_but_not_taken(caches):
    put(caches[1] / "hub/checkpoints", "resnet50_ibn_a-12345678.pth")
    other = put(caches[1] / "hub/checkpoints", "resnet50-0676ba61.pth")
    with pytest.raises(FileNotFoundError, match=f"There is {re.escape(str(other))}: if it is"):
        find_pretrained(tiny_cfg(DEPTH="50x"))


def test_a_given_folder_is_searched(caches, tmp_path):
    put(caches[0], f"{PUBLISHED}.pth")
    given = tmp_path / "given"
    path = put(given / "checkpoints", f"{PUBLISHED}.ckpt")
    assert find_pretrained(tiny_cfg(PRETRAIN_PATH=str(given), **R50_IBN)) == path
    path.unlink()
    with pytest.raises(FileNotFoundError) as error:
        find_pretrained(tiny_cfg(PRETRAIN_PATH=str(given), **R50_IBN))
    assert str(given) in str(error.value)
    assert str(caches[0]) not in str(error.value)


def test_a_given_path_may_begin_with_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = put(tmp_path, "own.pth")
    assert find_pretrained(tiny_cfg(PRETRAIN_PATH="~/own.pth")) == path


def test_a_missing_path_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="PRETRAIN_PATH .*gone.pth is neither"):
        find_pretrained(tiny_cfg(PRETRAIN_PATH=str(tmp_path / "gone.pth")))


@pytest.mark.parametrize("options", [{}, {"DEPTH": "50x", "WITH_SE": True}], ids=["tiny", "se"])
def test_a_backbone_without_published_weights_is_reported(options):
    with pytest.raises(ValueError, match="for build_resnet_backbone with '(tiny|se_50x)'"):
        find_pretrained(tiny_cfg(**options))


WEIGHTS = {
    "conv1.weight": np.float32(np.arange(6).reshape(2, 3, 1, 1)),
    "bn1.weight": np.float32([1, 2]),
    "bn1.running_mean": np.float32([3, 4]),
    "layer1.0.conv1.weight": np.ones((2, 2, 1, 1), np.float32),
}
BESIDE = {
    "fc.weight": np.zeros((10, 2), np.float32),
    "fc.bias": np.zeros(10, np.float32),
    "classifier.weight": np.zeros((10, 2), np.float32),
    "bn1.num_batches_tracked": np.array(7),
}


def assert_are_the_weights(got):
    assert got.keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        np.testing.assert_array_equal(got[name], value)


@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".safetensors"])
def test_weights_are_read_from_every_format_without_classifier_and_counters(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    write_weights(path, {**WEIGHTS, **BESIDE})
    assert_are_the_weights(read_pretrained(path))


def as_torch(weights, prefix=""):
    return {f"{prefix}{name}": torch.tensor(value) for name, value in weights.items()}


@pytest.mark.parametrize("trained", ["encoder_q", "base_encoder"])
def test_of_mocos_encoders_the_trained_one_is_read(tmp_path, trained):
    path = tmp_path / "moco.pth.tar"
    other = {name: value + 1 for name, value in WEIGHTS.items()}
    follower = {"encoder_q": "encoder_k", "base_encoder": "momentum_encoder"}[trained]
    state = as_torch({**WEIGHTS, **BESIDE}, f"module.{trained}.")
    state.update(as_torch(other, f"module.{follower}."))
    state["module.queue"] = torch.zeros(2, 8)
    torch.save({"state_dict": state, "arch": "resnet50", "epoch": 200}, path)
    expected = {name: value.shape for name, value in WEIGHTS.items()}
    assert_are_the_weights(read_pretrained(path, expected))


def test_of_several_sets_of_weights_one_is_named(tmp_path):
    path = tmp_path / "dino.pth"
    other = {name: value + 1 for name, value in WEIGHTS.items()}
    torch.save({"student": as_torch(other), "teacher": as_torch(WEIGHTS)}, path)
    expected = {name: value.shape for name, value in WEIGHTS.items()}
    with pytest.raises(ValueError, match="several sets of weights"):
        read_pretrained(path, expected)
    named = find_pretrained(tiny_cfg(PRETRAIN_PATH=f"{path}::teacher"))
    assert_are_the_weights(read_pretrained(named, expected))


def test_a_named_set_beside_a_whole_model_is_read(tmp_path):
    path = tmp_path / "both.pth"
    model = {**as_torch(WEIGHTS, "backbone."), "heads.weight": torch.zeros(751, 2)}
    torch.save({"reid": model, "imagenet": as_torch(WEIGHTS)}, path)
    expected = {name: value.shape for name, value in WEIGHTS.items()}
    assert_are_the_weights(read_pretrained(Path(f"{path}::imagenet"), expected))
    with pytest.raises(ValueError, match="not like ImageNet weights"):
        read_pretrained(Path(f"{path}::reid"), expected)


def test_a_plain_checkpoint_of_mindspore_is_read(tmp_path):
    path = tmp_path / "converted.ckpt"
    leaves = {"weight": "gamma", "running_mean": "moving_mean"}
    names = {
        name: f"bn1.{leaves[name[4:]]}" if name.startswith("bn1.") else name for name in WEIGHTS
    }
    entries = [{"name": names[k], "data": ms.Tensor(v)} for k, v in WEIGHTS.items()]
    ms.save_checkpoint(entries, str(path))
    assert_are_the_weights(read_pretrained(path))


def test_a_backbone_under_the_prefix_of_a_model_is_read(tmp_path):
    path = tmp_path / "weights.pth"
    write_pth(path, {f"backbone.{name}": value for name, value in WEIGHTS.items()})
    assert_are_the_weights(read_pretrained(path))


@pytest.mark.parametrize("head", ["heads.weight", "heads.classifier.weight", "b1_head.weight"])
def test_a_whole_model_is_refused_and_points_to_the_key_for_it(tmp_path, head):
    path = tmp_path / "model_final.pth"
    model = {**as_torch(WEIGHTS, "module.backbone."), f"module.{head}": torch.zeros(751, 2)}
    torch.save({"model": model}, path)
    with pytest.raises(
        ValueError,
        match=r"model_final\.pth looks like an? .* of fast-reid.* not like ImageNet weights\. .*"
        rf"set MODEL\.WEIGHTS {re.escape(str(path))} and MODEL\.BACKBONE\.PRETRAIN False",
    ):
        read_pretrained(path, {name: value.shape for name, value in WEIGHTS.items()})
