"""Loss scaling for mixed precision: small gradients survive float16, overflows are noticed."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

# Those of PyTorch's GradScaler, which fast-reid trains with.
INITIAL_SCALE = 65536
FACTOR = 2
STEPS_UNTIL_LARGER = 2000


class LossScale(nn.Cell):
    """Multiply the loss before the backward pass and divide the gradients after it.

    The scale halves at each overflow, whose update is skipped, and doubles after 2,000 steps
    without one (Micikevicius et al., "Mixed Precision Training", ICLR 2018, section 3.2).

    Args:
        enabled: False leaves losses and gradients as they are.
    """

    def __init__(self, *, enabled: bool = False) -> None:
        super().__init__(auto_prefix=False)
        self.scaler = (
            ms.amp.DynamicLossScaler(INITIAL_SCALE, FACTOR, STEPS_UNTIL_LARGER) if enabled else None
        )

    def scale(self, total: Tensor) -> Tensor:
        """Multiply a scalar loss."""
        return total if self.scaler is None else self.scaler.scale(total)

    def unscale(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Divide gradients of any shapes."""
        return gradients if self.scaler is None else self.scaler.unscale(gradients)

    def judge(self, total: Tensor, finite: Tensor) -> Tensor:
        """Tell a sound step from one that no smaller scale would mend.

        Args:
            total: the unscaled loss, a scalar.
            finite: whether the gradients were finite, a bool scalar.

        Returns:
            A bool scalar: finite, or an overflow of a finite loss at a scale above 1.
        """
        if self.scaler is None:
            return finite
        can_shrink = ops.logical_and(ops.isfinite(total), self.scaler.scale_value > 1)
        return ops.logical_or(finite, can_shrink)

    def adjust(self, finite: Tensor) -> Tensor:
        """Set the scale for the next step by whether this one was finite, a bool scalar."""
        return finite if self.scaler is None else ops.depend(finite, self.scaler.adjust(finite))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copy what a resumed run needs: the scale, and the steps since it changed."""
        return {
            "scale": self.scaler.scale_value.asnumpy().copy(),
            "steps": self.scaler.counter.asnumpy().copy(),
        }

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Put back what `state_dict` gave."""
        for parameter, key in ((self.scaler.scale_value, "scale"), (self.scaler.counter, "steps")):
            ops.assign(parameter, Tensor(np.asarray(state[key]), parameter.dtype))
