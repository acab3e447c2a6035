"""Models of a few parameters that train as the real ones do, and their losses."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from fastreid.layers import BatchNorm, Conv2d, Linear
from fastreid.modeling.ops import MetaBNNorm, MetaConv2d, MetaLinear, mark_adaptor

NUM_CLASSES = 2


class ToyModel(nn.Cell):
    """One linear layer on the mean colours, split into two parts."""

    def __init__(self):
        super().__init__()
        self.backbone = Linear(3, 3)
        self.heads = Linear(3, NUM_CLASSES)

    def outputs(self, images, targets):
        return {"pred_class_logits": self.heads(self.backbone(images.mean((2, 3))))}


class ToyNormModel(nn.Cell):
    """The same with a batch norm in the backbone."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.SequentialCell(Conv2d(3, 3, 1), BatchNorm(3))
        self.heads = Linear(3, NUM_CLASSES)

    def outputs(self, images, targets):
        return {"pred_class_logits": self.heads(self.backbone(images).mean((2, 3)))}


class ToyMetaModel(nn.Cell):
    """Meta cells, one of them marked as an adaptor, and a plain layer that stays where it is."""

    def __init__(self):
        super().__init__()
        self.conv = MetaConv2d(3, 4, 1)
        self.norm = MetaBNNorm(4)
        self.adaptor = mark_adaptor(MetaLinear(4, 3))
        self.plain = Linear(3, NUM_CLASSES)

    def outputs(self, images, targets):
        pooled = ops.relu(self.norm(self.conv(images))).mean((2, 3))
        return {"pred_class_logits": self.plain(self.adaptor(pooled))}


class PowerLosses(nn.Cell):
    """Mean squared error to the one-hot targets, and a penalty on some power of the logits."""

    def __init__(self, power=2):
        super().__init__()
        self.names = ("loss_square", "loss_power")
        self.power = power

    def construct(self, outputs, targets, domainids):
        logits = outputs["pred_class_logits"]
        wanted = ops.one_hot(targets, NUM_CLASSES, Tensor(1.0, ms.float32), Tensor(0.0, ms.float32))
        return ((logits - wanted) ** 2).mean(), 0.1 * (logits**self.power).mean()


def randomize(model, seed=0):
    """Repeatable values for all trainable parameters."""
    rng = np.random.RandomState(seed)
    for parameter in model.trainable_params():
        value = 0.5 * rng.randn(*parameter.shape) + 0.3
        ops.assign(parameter, Tensor(value.astype(np.float32)))
    return model


def batch_of(seed, *, rows=4, domain=0, broken=False):
    """A loader's columns; `broken` puts a NaN into one pixel."""
    rng = np.random.RandomState(seed)
    images = rng.randn(rows, 3, 2, 2).astype(np.float32)
    if broken:
        images[0, 0, 0, 0] = np.nan
    return {
        "images": images,
        "targets": (np.arange(rows) % NUM_CLASSES).astype(np.int32),
        "camids": np.zeros(rows, np.int32),
        "domainids": np.full(rows, domain, np.int32),
        "img_paths": np.array([f"batch{seed}_{i}.jpg" for i in range(rows)]),
    }


def tensors(batch):
    return tuple(Tensor(batch[column]) for column in ("images", "targets", "domainids"))


def values(model):
    """Copies of all parameters, running statistics included, by name."""
    return {p.name: p.asnumpy().copy() for p in model.get_parameters()}


def changed(model, before):
    """Names of the parameters that differ, in any bit, from earlier `values`."""
    return {
        name for name, value in values(model).items() if not np.array_equal(value, before[name])
    }
