"""What tests of every family of backbones share."""

import numpy as np
import torch
from mindspore import ops

from fastreid.config import get_cfg
from fastreid.modeling.backbones import build_backbone
from fastreid.modeling.recompute import recompute_blocks
from fastreid.utils.checkpoint.names import export_weights, to_mindspore_names, torch_names
from test.alignment.against_torch import feature_map, ours
from test.alignment.tensor_table import digest


def backbone_cfg(words, **options):
    """A config without ImageNet weights: words of `merge_from_list`, then MODEL.BACKBONE's."""
    cfg = get_cfg()
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.merge_from_list(words.split() if isinstance(words, str) else list(words))
    for key, value in options.items():
        setattr(cfg.MODEL.BACKBONE, key, value)
    return cfg


def assert_has_the_tensors(words, row):
    """A backbone's names and shapes are the original's; names are found without a model too."""
    backbone = build_backbone(backbone_cfg(words, FEAT_DIM=row["feat_dim"]))
    assert backbone.out_channels == row["feat_dim"]
    shapes = {name: value.shape for name, value in export_weights(backbone).items()}
    assert {"feat_dim": row["feat_dim"], **digest(shapes)} == row
    assert to_mindspore_names(shapes) == torch_names(backbone)


def random_weights(cfg, seed=0):
    """PyTorch name -> random array, for every tensor of the backbone of a config."""
    rng = np.random.RandomState(seed)
    start = export_weights(build_backbone(cfg))
    return {name: rng.rand(*value.shape).astype(np.float32) for name, value in start.items()}


def save_published(path, weights, *others, prefix=""):
    """Write a file as published: batch counters of norms, and tensors of zeros of other names."""
    state = {f"{prefix}{name}": torch.tensor(value) for name, value in weights.items()}
    for name in weights:
        if name.endswith("running_mean"):
            counter = name.replace("running_mean", "num_batches_tracked")
            state[f"{prefix}{counter}"] = torch.tensor(7)
    state.update({f"{prefix}{name}": torch.zeros(shape) for name, shape in others})
    torch.save(state, path)
    return path


def assert_loads(cfg, path, weights):
    """The backbone of a config, built with this file, has these weights."""
    cfg.MODEL.BACKBONE.PRETRAIN = True
    cfg.MODEL.BACKBONE.PRETRAIN_PATH = str(path)
    loaded = export_weights(build_backbone(cfg))
    for name, value in weights.items():
        np.testing.assert_array_equal(loaded[name], value, err_msg=name)
    return loaded


def assert_recomputes(network, channels):
    """Recomputed blocks change no output, gradient or running statistic; graph mode."""
    network.set_train()
    start = {parameter.name: parameter.copy() for parameter in network.get_parameters()}
    x = feature_map((9, 7), channels=channels, rows=4)
    output, by_input, gradients = ours(network, x)
    statistics = export_weights(network)
    for parameter in network.get_parameters():
        ops.assign(parameter, start[parameter.name])
    recompute_blocks(network)
    again = ours(network, x)
    np.testing.assert_allclose(again[0], output, rtol=0, atol=1e-6 * np.abs(output).max())
    np.testing.assert_allclose(again[1], by_input, rtol=0, atol=2e-5 * np.abs(by_input).max())
    largest = max(np.abs(gradient).max() for gradient in gradients.values())
    for name, gradient in gradients.items():
        np.testing.assert_allclose(again[2][name], gradient, rtol=0, atol=2e-5 * largest)
    for name, value in export_weights(network).items():
        np.testing.assert_allclose(value, statistics[name], rtol=2e-6, atol=1e-6, err_msg=name)


def assert_trains_in_half_precision(network, channels):
    """Maps are float16 in training, and gradients near those of float32; pynative mode."""
    x = feature_map((9, 7), channels=channels, rows=4)
    _, by_input, _ = ours(network.set_train(), x)
    for _, cell in network.cells_and_names():
        if hasattr(cell, "train_in_half_precision"):
            cell.train_in_half_precision()
    output, half_by_input, _ = ours(network, x)
    assert output.dtype == np.float16
    got, want = half_by_input.ravel(), by_input.ravel()
    assert got @ want > 0.98 * np.linalg.norm(got) * np.linalg.norm(want)
