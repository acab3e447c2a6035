"""The ranks of a training job on this machine, which take their steps together."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from benchmarks.contenders import Contender


class Ranks:
    """Processes that train together, started as ``train_net.py --num-gpus`` starts them.

    Args:
        script: file of the program of each rank.
        job: the job of each.
        count: number of ranks.
    """

    def __init__(self, script: Path, job: dict, count: int) -> None:
        # Imports MindSpore, which the other tasks need not.
        from fastreid.engine.launch.job import (
            make_job,
            rank_environment,
            scheduler_command,
            scheduler_environment,
        )

        ranks = make_job(count, 1, 0, None)
        self._scheduler = subprocess.Popen(
            scheduler_command(), env=scheduler_environment(ranks, os.environ)
        )
        self._ranks = []
        try:
            for rank in ranks.ranks:
                # The output of a rank goes to standard error.
                environment = rank_environment(ranks, rank, os.environ, Path(os.devnull))
                self._ranks.append(Contender(script, job, environment=environment))
        except OSError:
            self.close()
            raise

    def ask(self, line: str) -> dict:
        """Let all ranks run a task; return the time of the slowest, and that of all processors.

        Raises:
            SystemExit: if a rank has ended.
        """
        for rank in self._ranks:
            rank.begin(line)
        answers = [rank.answer() for rank in self._ranks]
        return {
            "seconds": max(answer["seconds"] for answer in answers),
            "cpu_seconds": sum(answer["cpu_seconds"] for answer in answers),
        }

    def close(self) -> None:
        """End the ranks and their scheduler."""
        for rank in self._ranks:
            rank.end_input()
        for rank in self._ranks:
            rank.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._scheduler.wait(timeout=5)
        self._scheduler.kill()
        self._scheduler.wait()
