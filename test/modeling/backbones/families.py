"""What tests of every family of backbones share."""

import numpy as np
import torch

from fastreid.config import get_cfg
from fastreid.modeling.backbones import build_backbone
from fastreid.utils.checkpoint.names import export_weights, to_mindspore_names, torch_names
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
