"""Averages over the processes of a training, inside a compiled step."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Parameter, Tensor, nn, ops

from fastreid.utils.comm import get_world_size

# Gradients are sent together in messages of at most this many numbers; a larger one is sent alone.
NUMBERS_PER_MESSAGE = 2**23

_flatten = ops.MultitypeFuncGraph("flatten")
_cut = ops.MultitypeFuncGraph("cut")
# For hundreds of gradients the methods of tensors take minutes to compile; primitives do not.
_reshape, _shape, _slice = ops.Reshape(), ops.Shape(), ops.Slice()


@_flatten.register("Tensor")
def _flatten_one(tensor: Tensor) -> Tensor:
    return _reshape(tensor, (-1,))


@_cut.register("Tensor", "Tensor", "Number", "Number")
def _cut_one(flat: Tensor, like: Tensor, first: int, size: int) -> Tensor:
    return _reshape(_slice(flat, (first,), (size,)), _shape(like))


def pack(sizes: Sequence[int], limit: int) -> list[tuple[int, int]]:
    """Divide a list of tensors into messages of consecutive tensors.

    Args:
        sizes: number of elements of each tensor.
        limit: maximum number of elements of a message; one larger tensor is a message of its own.

    Returns:
        For each message, the index of its first tensor and the index after its last.
    """
    bounds, first, total = [], 0, 0
    for place, size in enumerate(sizes):
        if place > first and total + size > limit:
            bounds.append((first, place))
            first, total = place, 0
        total += size
    return [*bounds, (first, len(sizes))]


class OneProcess(nn.Cell):
    """The mean over one process: returns its arguments."""

    def construct(
        self, total: Tensor, losses: Tensor, accuracy: Tensor, gradients: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, ...]]:
        """Return a scalar, losses (L,), a scalar, and gradients of any shapes."""
        return total, losses, accuracy, gradients


class ProcessAverage(nn.Cell):
    """Means of a step's results over all processes.

    The means are equal bit by bit on all processes, so all decide alike whether the step is finite,
    and their parameters stay equal.

    Args:
        parameters: the parameters that the gradients belong to.
        num_losses: number of losses of the step.
        world_size: number of processes.
    """

    def __init__(self, parameters: Sequence[Parameter], num_losses: int, world_size: int) -> None:
        super().__init__(auto_prefix=False)
        self.world_size = world_size
        self.all_reduce = ops.AllReduce()
        self.for_each = ops.HyperMap()
        self.num_losses = num_losses
        # The scalars and losses come before the gradients, in the first message.
        sizes = [num_losses + 2, *(parameter.size for parameter in parameters)]
        self.messages = [
            (
                *(first, end),
                tuple(sum(sizes[first:place]) for place in range(first, end)),
                tuple(sizes[first:end]),
            )
            for first, end in pack(sizes, NUMBERS_PER_MESSAGE)
        ]

    def construct(
        self, total: Tensor, losses: Tensor, accuracy: Tensor, gradients: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, ...]]:
        """Average a scalar, losses (L,), a scalar, and gradients in the parameters' order."""
        numbers = ops.cat((total.reshape(1), losses, accuracy.reshape(1)))
        tensors = (numbers,) + gradients
        means: tuple[Tensor, ...] = ()
        # Norms over all processes send messages too, all of them before the last gradient is ready.
        before = gradients
        for first, end, places, sizes in self.messages:
            flat = self.for_each(_flatten, tensors[first:end])
            message = ops.cat(flat) if end - first > 1 else flat[0]
            # One message after the other: processes that send in different orders would deadlock.
            mean = self.all_reduce(ops.depend(message, before)) / self.world_size
            before = mean
            means = means + self.for_each(
                ops.partial(_cut, mean), tensors[first:end], places, sizes
            )
        numbers = means[0]
        return numbers[0], numbers[1:-1], numbers[-1], means[1:]


def build_average(parameters: Sequence[Parameter], num_losses: int) -> nn.Cell:
    """Build the cell that averages a step's results over all processes.

    Args:
        parameters: the parameters that the gradients belong to.
        num_losses: number of losses of the step.

    Returns:
        A cell that computes the means of a total, losses (L,), an accuracy and gradients.
    """
    world_size = get_world_size()
    return ProcessAverage(parameters, num_losses, world_size) if world_size > 1 else OneProcess()
