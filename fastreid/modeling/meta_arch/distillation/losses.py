"""Distillation of logits (Hinton et al., 2015), symmetric as in fast-reid."""

from __future__ import annotations

from mindspore import Tensor, nn, ops

TEMPERATURE = 16.0


def js_divergence(student: Tensor, teacher: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Compute the mean of the two Kullback-Leibler divergences between softened predictions.

    fast-reid calls it the Jensen-Shannon divergence. With p and q the softmax of both logits s and
    t, divided by T, it is T^2 / 2 (KL(p, q) + KL(q, p)) = T / 2 sum((p - q) (s - t)): the
    normalizers of log p and log q cancel, because p - q sums to 0.

    Args:
        student: logits (N, classes).
        teacher: logits (N, classes).
        temperature: T, divides the logits.

    Returns:
        A scalar, the mean over the rows.

    Examples:
        >>> import mindspore as ms
        >>> from fastreid.modeling.meta_arch.distillation.losses import js_divergence
        >>> teacher = ms.Tensor([[1.0, 2.0, 3.0]])
        >>> float(js_divergence(teacher, teacher)), float(js_divergence(teacher + 5, teacher))
        (0.0, 0.0)
    """
    difference = student - teacher
    difference = difference - difference.mean(1, keep_dims=True)  # fewer digits are lost
    moved = ops.softmax(student / temperature, 1) - ops.softmax(teacher / temperature, 1)
    return (moved * difference).sum() * (temperature / (2 * student.shape[0]))


class DistillationLosses(nn.Cell):
    """The losses of the student alone, and the divergence from its teachers.

    Args:
        student_losses: a cell from (outputs, targets) to scalars, with their `names`.
    """

    columns = ("targets",)

    def __init__(self, student_losses: nn.Cell) -> None:
        super().__init__()
        self.student_losses = student_losses
        self.names = (*student_losses.names, "loss_jsdiv")

    def construct(self, outputs: dict, targets: Tensor) -> tuple[Tensor, ...]:
        """Compute scalars in the order of `names`.

        Args:
            outputs: of the student's head, and `teacher_logits`: for each teacher (N, classes).
            targets: (N,) int32 class of each row.
        """
        logits = outputs["pred_class_logits"]
        divergence = 0.0
        for teacher_logits in outputs["teacher_logits"]:
            divergence = divergence + js_divergence(logits, teacher_logits)
        mean = divergence / len(outputs["teacher_logits"])
        return self.student_losses(outputs, targets) + (mean,)
