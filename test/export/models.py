"""Small models with random weights on disk, and what is exported of them."""

import mindspore as ms
import numpy as np
from mindspore import Tensor

from fastreid.config import get_cfg
from fastreid.modeling import build_model
from fastreid.utils.checkpoint import Checkpointer
from test.small_backbones import TWO_CONVOLUTIONS

SMALL = (*TWO_CONVOLUTIONS, "MODEL.HEADS.WITH_BNNECK", "True", "MODEL.HEADS.NECK_FEAT", "after")


def saved_model(folder, *words, file=None, size=(64, 32), adapted=False):
    """The frozen config of a model whose weights were drawn and saved.

    Args:
        folder: where the weights are written.
        words: ``KEY VALUE ...`` for the config.
        file: a configuration file; None: the default settings.
        size: of the images.
        adapted: whether the running statistics are those of images. Drawn ones let the maps of
            networks of many depthwise convolutions vanish, and all images have equal features.
    """
    cfg = get_cfg()
    if file:
        cfg.merge_from_file(str(file))
    cfg.merge_from_list(["INPUT.SIZE_TEST", str(list(size)), *words])
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.HEADS.NUM_CLASSES = 3
    ms.set_seed(0)
    model = build_model(cfg)
    draw_weights(model)
    if cfg.MODEL.BACKBONE.DEPLOY:
        keep_variances(model.backbone)
    if adapted:
        adapt_statistics(model.backbone, images(8, size))
    Checkpointer(model, str(folder)).save("model")
    (cfg.MODEL.WEIGHTS,) = map(str, folder.glob("model*.ckpt"))
    cfg.freeze()
    return cfg


def draw_weights(model, seed=0):
    """Draw what a new model has as zeros and ones: norms, biases and statistics."""
    rng = np.random.RandomState(seed)
    for parameter in model.get_parameters():
        if parameter.name.endswith(("gamma", "moving_variance")):
            values = rng.uniform(0.5, 1.5, parameter.shape)
        elif parameter.name.endswith(("beta", "bias", "moving_mean")):
            values = rng.normal(0, 0.2, parameter.shape)
        else:
            continue
        parameter.set_data(Tensor(values.astype(np.float32), ms.float32))


def keep_variances(backbone, seed=0):
    """Draw the kernels of a network without norms so that maps do not vanish (He et al., 2015)."""
    rng = np.random.RandomState(seed)
    for parameter in backbone.get_parameters():
        if parameter.ndim == 4:
            deviation = np.sqrt(2 / np.prod(parameter.shape[1:]))
            values = rng.normal(0, deviation, parameter.shape)
            parameter.set_data(Tensor(values.astype(np.float32)))


def adapt_statistics(backbone, batch):
    """Let the running statistics follow those of a batch, with no deviation below the mean.

    Channels of random networks hardly vary about a large mean. Their deviations alone would make
    each norm amplify the rounding errors of its input, up to a tenth of the features after 50.
    """
    ms.set_context(mode=ms.PYNATIVE_MODE)
    for parameter in backbone.get_parameters():
        if parameter.name.endswith("moving_variance"):
            parameter.set_data(Tensor(np.zeros(parameter.shape, np.float32)))
    backbone.set_train(True)
    try:
        for _ in range(30):
            backbone(Tensor(batch))
    finally:
        backbone.set_train(False)
        ms.set_context(mode=ms.GRAPH_MODE)
    values = {parameter.name: parameter for parameter in backbone.get_parameters()}
    for name, variance in values.items():
        if name.endswith("moving_variance"):
            mean = values[name.replace("moving_variance", "moving_mean")].asnumpy()
            variance.set_data(Tensor(np.maximum(variance.asnumpy(), mean**2)))


def images(number, size=(64, 32), seed=3):
    """(N, 3, H, W) whole numbers in 0..255."""
    rng = np.random.RandomState(seed)
    coarse = rng.randint(0, 256, (number, 3, 4, 2))
    rows, columns = (np.arange(size[i]) * (4, 2)[i] // size[i] for i in (0, 1))
    noise = rng.randint(-30, 31, (number, 3, *size))
    return (coarse[:, :, rows][:, :, :, columns] + noise).clip(0, 255).astype(np.float32)
