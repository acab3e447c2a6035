"""A training run with a fault.

`python -m test.faults.victim FAULT AT [--resume] [KEY VALUE ...]`: the fault strikes before
iteration AT. Nothing else differs from tools/train_net.py.
"""

from __future__ import annotations

import os
import signal
import sys

from fastreid.config import get_cfg
from fastreid.engine import (
    DefaultTrainer,
    HookBase,
    default_argument_parser,
    default_setup,
)
from test.small_backbones import TWO_CONVOLUTIONS


class Fault(HookBase):
    """Strikes once, before an iteration."""

    def __init__(self, name: str, at: int) -> None:
        self._strike = getattr(self, name)
        self._at = at

    def before_step(self) -> None:
        if self.trainer.iter == self._at:
            self._strike()

    def none(self) -> None:
        """No fault."""

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def terminate(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def _worker(self) -> int:
        return self.trainer.data_loader.pool.pids[0]

    def kill_worker(self) -> None:
        os.kill(self._worker(), signal.SIGKILL)

    def stop_worker(self) -> None:
        os.kill(self._worker(), signal.SIGSTOP)


class TerminatedInEvaluation(DefaultTrainer):
    """SIGTERM comes while the model is evaluated."""

    def _evaluate(self):
        os.kill(os.getpid(), signal.SIGTERM)
        return super()._evaluate()


def main(fault: str, at: int, words: list[str]) -> None:
    """Train, as tools/train_net.py does."""
    args = default_argument_parser().parse_args(words)
    cfg = get_cfg()
    cfg.merge_from_file("configs/demo.yml")
    cfg.merge_from_list(list(TWO_CONVOLUTIONS))
    cfg.merge_from_list(args.opts)
    cfg.freeze()
    default_setup(cfg, args)
    in_evaluation = fault == "terminate_in_evaluation"
    trainer = TerminatedInEvaluation(cfg) if in_evaluation else DefaultTrainer(cfg)
    trainer.register_hooks([Fault("none" if in_evaluation else fault, at)])
    trainer.resume_or_load(resume=args.resume)
    trainer.train()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
