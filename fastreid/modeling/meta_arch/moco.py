"""fast-reid's MoCo: a baseline with a pairwise loss against a queue of earlier features.

The queue follows He et al., "Momentum Contrast for Unsupervised Visual Representation Learning",
CVPR 2020. As in fast-reid, keys are features of the model itself; there is no momentum encoder.
"""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Normal, Zero, initializer

from fastreid.config import CfgNode, configurable
from fastreid.layers import l2_normalize
from fastreid.utils.comm import get_rank, get_world_size

from ..losses import loss_of_pairs
from .baseline import Baseline, ReidLosses
from .build import META_ARCH_REGISTRY

# Label of a place of the queue that has no key yet.
EMPTY = -1
# fast-reid's constants of the loss.
MARGIN, GAMMA = 0.25, 32.0


class Memory(nn.Cell):
    """A queue of unit features with labels, and a cosine loss of a batch against it.

    A call stores the batch first, in place of the oldest keys, and then compares it with the whole
    queue. The pair of a row and its own key, and places without a key, do not count. With several
    processes, each stores the batches of all, in the order of the ranks.

    Args:
        dim: D of the features.
        size: K, the number of keys; at least the number of rows that all processes store in a step.

    Raises:
        ValueError: if there is no place for a key.
    """

    # Labels are numbers of training identities: weights of another run may lack the queue.
    classifier_names = ("queue",)

    def __init__(self, dim: int = 512, size: int = 65536) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"MODEL.QUEUE_SIZE is {size}; it must be at least 1.")
        self.size = size
        self.world_size, self.rank = get_world_size(), get_rank()
        directions = initializer(Normal(1.0), (size, dim)).init_data()
        queue, labels = l2_normalize(directions).T, ops.full((1, size), EMPTY, dtype=ms.int32)
        # PyTorch's buffers, with their shapes.
        self.queue = Parameter(queue, requires_grad=False)
        self.queue_label = Parameter(labels, requires_grad=False)
        self.queue_ptr = Parameter(initializer(Zero(), (1,), ms.int32), requires_grad=False)
        self.all_gather = ops.AllGather() if self.world_size > 1 else None

    def construct(self, features: Tensor, targets: Tensor) -> Tensor:
        """Store a batch and compare it with the queue.

        Args:
            features: (N, D), any length, float32.
            targets: (N,) int32 classes.

        Returns:
            Scalar, the mean over rows; a row without a positive or without a negative counts as 0.

        Raises:
            ValueError: if the rows of all processes are more than the queue holds.
        """
        rows = features.shape[0]
        if rows * self.world_size > self.size:
            raise ValueError(
                f"MODEL.QUEUE_SIZE {self.size} is less than the {rows * self.world_size} images of "
                "a step; set it to a multiple of SOLVER.IMS_PER_BATCH."
            )
        unit = l2_normalize(features)
        places = self._places(rows * self.world_size)
        queue, labels = self._store(ops.stop_gradient(unit), targets, places)
        cosines = ops.matmul(unit, queue)
        first = self.rank * rows
        pairs = self._pairs(targets, labels, places[first : first + rows])
        return loss_of_pairs(-GAMMA * cosines, GAMMA * (cosines + MARGIN), *pairs)

    def _places(self, count: int) -> Tensor:
        """(count,) int32 places of the oldest keys; the next ones begin after them."""
        places = ops.fmod(self.queue_ptr + ops.arange(count, dtype=ms.int32), self.size)
        return places.astype(ms.int32)

    def _store(self, keys: Tensor, targets: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Write unit keys (N, D) and targets (N,) of all processes; return queue and labels."""
        if self.all_gather is not None:
            keys = self.all_gather(keys)
            # All processes must send their messages in the same order.
            targets = self.all_gather(ops.depend(targets, keys))
        count, dim = keys.shape
        shape = (dim, count)
        rows = ops.broadcast_to(ops.arange(dim, dtype=ms.int32).reshape(dim, 1), shape)
        columns = ops.broadcast_to(places.reshape(1, count), shape)
        queue = ops.scatter_nd_update(self.queue, ops.stack((rows, columns), 2), keys.T)
        first_row = ops.zeros((1, count), ms.int32)
        labels = ops.scatter_nd_update(
            self.queue_label,
            ops.stack((first_row, places.reshape(1, count)), 2),
            targets.reshape(1, count),
        )
        following = ops.fmod(places[count - 1 :] + 1, self.size).astype(ms.int32)
        labels = ops.depend(labels, ops.assign(self.queue_ptr, following))
        return ops.stop_gradient(queue), ops.stop_gradient(labels)

    def _pairs(self, targets: Tensor, labels: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """(N, K) bool masks of the positives and negatives of rows whose own keys have places."""
        shape = (targets.shape[0], self.size)
        columns = ops.broadcast_to(ops.arange(self.size, dtype=ms.int32).reshape(1, -1), shape)
        is_own = ops.equal(columns, ops.broadcast_to(places.reshape(-1, 1), shape))
        labels = ops.broadcast_to(labels, shape)
        same = ops.equal(labels, ops.broadcast_to(targets.reshape(-1, 1), shape))
        is_negative = ops.logical_and(ops.not_equal(labels, EMPTY), ops.logical_not(same))
        return ops.logical_and(same, ops.logical_not(is_own)), is_negative


class MoCoLosses(nn.Cell):
    """The losses of `MODEL.LOSSES.NAME`, and the loss that the memory has computed.

    Args:
        losses: the former.
    """

    columns = ("targets",)

    def __init__(self, losses: ReidLosses) -> None:
        super().__init__()
        self.losses = losses
        self.names = (*losses.names, "loss_mb")

    def construct(self, outputs: dict, targets: Tensor) -> tuple[Tensor, ...]:
        """Scalars in the order of `names`, from the model's outputs and targets (N,)."""
        return self.losses(outputs, targets) + (outputs["memory_loss"],)


@META_ARCH_REGISTRY.register()
class MoCo(Baseline):
    """A `Baseline` with a `Memory` of `MODEL.QUEUE_SIZE` features.

    The memory is part of checkpoints. Weights of another run, in `MODEL.WEIGHTS`, leave it empty.

    Args:
        memory: from features (N, D) and targets (N,) to a scalar.
        **parts: the arguments of `Baseline`.
    """

    @configurable
    def __init__(self, *, memory: nn.Cell, **parts: Any) -> None:
        super().__init__(**parts)
        self.memory = memory

    @classmethod
    def build_parts(cls, cfg: CfgNode) -> dict[str, Any]:
        """Build the backbone, the head, the losses and the memory.

        Raises:
            ValueError: for a head with a classifier per domain, features of another width than the
                queue's, or a queue without places.
        """
        parts = super().build_parts(cfg)
        if hasattr(parts["heads"], "first_labels"):
            raise ValueError(
                f"MODEL.META_ARCHITECTURE MoCo needs a head with one classifier, not "
                f"MODEL.HEADS.NAME {cfg.MODEL.HEADS.NAME}; set it to EmbeddingHead."
            )
        dim = cfg.MODEL.HEADS.EMBEDDING_DIM or cfg.MODEL.BACKBONE.FEAT_DIM
        if cfg.MODEL.HEADS.NECK_FEAT == "before" and dim != cfg.MODEL.BACKBONE.FEAT_DIM:
            raise ValueError(
                f"MODEL.META_ARCHITECTURE MoCo stores features of MODEL.HEADS.EMBEDDING_DIM {dim}, "
                f"but MODEL.HEADS.NECK_FEAT before gives those of MODEL.BACKBONE.FEAT_DIM "
                f"{cfg.MODEL.BACKBONE.FEAT_DIM}; set NECK_FEAT to after, or EMBEDDING_DIM to 0."
            )
        criterion = MoCoLosses(parts["criterion"])
        return {**parts, "criterion": criterion, "memory": Memory(dim, cfg.MODEL.QUEUE_SIZE)}

    def outputs(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compute the inputs of the losses, in training, and store the features.

        Args:
            images: (N, 3, H, W), RGB in [0, 255].
            targets: (N,) int32 class of each row.

        Returns:
            The outputs of the head, and `memory_loss`, a scalar.
        """
        outputs = super().outputs(images, targets)
        outputs["memory_loss"] = self.memory(outputs["features"], targets)
        return outputs
