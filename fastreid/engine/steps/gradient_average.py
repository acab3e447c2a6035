"""Averages over the processes that train together, inside a compiled step."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Parameter, Tensor, nn, ops

from fastreid.utils.comm import get_world_size

# Gradients travel together in messages of about so many numbers; a larger one travels alone.
NUMBERS_PER_MESSAGE = 2**23

_flatten = ops.MultitypeFuncGraph("flatten")
_cut = ops.MultitypeFuncGraph("cut")
# Primitives: the same as methods of tensors take minutes to compile, for hundreds of gradients.
_reshape, _shape, _slice = ops.Reshape(), ops.Shape(), ops.Slice()


@_flatten.register("Tensor")
def _flatten_one(tensor: Tensor) -> Tensor:
    return _reshape(tensor, (-1,))


@_cut.register("Tensor", "Tensor", "Number", "Number")
def _cut_one(flat: Tensor, like: Tensor, first: int, size: int) -> Tensor:
    return _reshape(_slice(flat, (first,), (size,)), _shape(like))


def pack(sizes: Sequence[int], limit: int) -> list[tuple[int, int]]:
    """Divide tensors, in their order, into messages.

    Args:
        sizes: numbers in each tensor.
        limit: numbers in a message, unless one tensor alone has more.

    Returns:
        First and end of each message's tensors.
    """
    bounds, first, total = [], 0, 0
    for place, size in enumerate(sizes):
        if place > first and total + size > limit:
            bounds.append((first, place))
            first, total = place, 0
        total += size
    return [*bounds, (first, len(sizes))]


class OneProcess(nn.Cell):
    """Gives back what it gets: the mean over one process."""

    def construct(
        self, total: Tensor, losses: Tensor, accuracy: Tensor, gradients: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, ...]]:
        """Pass a scalar, losses (L,), a scalar, and gradients of any shapes."""
        return total, losses, accuracy, gradients


class ProcessAverage(nn.Cell):
    """Means over all processes of what a step gives: bit by bit the same on all of them.

    So all judge alike whether a step is finite, and all parameters stay the same.

    Args:
        parameters: what the gradients are of.
        num_losses: losses of the step.
        world_size: number of processes.
    """

    def __init__(self, parameters: Sequence[Parameter], num_losses: int, world_size: int) -> None:
        super().__init__(auto_prefix=False)
        self.world_size = world_size
        self.all_reduce = ops.AllReduce()
        self.for_each = ops.HyperMap()
        self.num_losses = num_losses
        # The few numbers go ahead of the gradients, in the first message.
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
        means = ()
        # Norms over all processes send messages too; the last gradient comes after all of them.
        before = gradients
        for first, end, places, sizes in self.messages:
            flat = self.for_each(_flatten, tensors[first:end])
            message = ops.cat(flat) if end - first > 1 else flat[0]
            # One after the other: processes that send in different orders wait forever.
            mean = self.all_reduce(ops.depend(message, before)) / self.world_size
            before = mean
            means = means + self.for_each(
                ops.partial(_cut, mean), tensors[first:end], places, sizes
            )
        numbers = means[0]
        return numbers[0], numbers[1:-1], numbers[-1], means[1:]


def build_average(parameters: Sequence[Parameter], num_losses: int) -> nn.Cell:
    """Build the cell that averages a step over the processes that train together.

    Args:
        parameters: what the gradients are of.
        num_losses: losses of the step.

    Returns:
        From a total, losses (L,), an accuracy and gradients to their means.
    """
    world_size = get_world_size()
    return ProcessAverage(parameters, num_losses, world_size) if world_size > 1 else OneProcess()
