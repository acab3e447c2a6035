"""A job: the runs of a protocol with a method, in one output folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode
from fastreid.data import DATASET_REGISTRY

from .facts import data_differences, describe_data
from .run_folder import RunFolder
from .settings import deciding_settings, run_config, run_words, setting_differences
from .spec import Protocol, Run


@dataclass(frozen=True)
class Job:
    """What is run, how, and where.

    Attributes:
        protocol: the protocol.
        method: name of the method.
        config_file: its YAML file.
        output: folder of the job; runs are in its subfolder ``runs``.
        opts: the user's ``KEY VALUE KEY VALUE ...``.
    """

    protocol: Protocol
    method: str
    config_file: Path
    output: Path
    opts: Sequence[str] = ()

    def folder(self, run: Run) -> RunFolder:
        """Return the folder of a run.

        Args:
            run: one of the protocol's.
        """
        return RunFolder(self.output / "runs" / f"{self.method}_{run.key}")

    def folders(self) -> list[RunFolder]:
        """Return the folders of all runs that are there, of any method."""
        return [RunFolder(path) for path in sorted((self.output / "runs").glob("*/"))]

    def words(self, run: Run) -> list[str]:
        """List the settings of a run over those of the method's file.

        Args:
            run: one of the protocol's.
        """
        return run_words(self.protocol, run, self.opts, self.folder(run).path)

    def config(self, run: Run) -> CfgNode:
        """Read the configuration of a run, frozen.

        Args:
            run: one of the protocol's.
        """
        return run_config(self.config_file, self.words(run))

    def check(self, runs: Sequence[Run]) -> Check:
        """Check that all runs can be started, before the first is.

        Args:
            runs: the runs of the job.

        Returns:
            Differences from the protocol, and the iterations of each run.

        Raises:
            FileNotFoundError, KeyError, ValueError: a data set or setting is missing or wrong, or a
                folder has a run with other settings.
        """
        differences: dict[str, None] = {}
        iterations: dict[str, int] = {}
        images: dict[tuple[str, ...], int] = {}
        for run in runs:
            cfg = self.config(run)
            for name in (*run.sources, *run.targets):
                DATASET_REGISTRY.get(name)
            if run.sources not in images:
                facts = describe_data(cfg, run)
                found = [
                    *setting_differences(self.protocol, cfg),
                    *data_differences(self.protocol, facts),
                ]
                differences.update(dict.fromkeys(found))
                images[run.sources] = _num_images(facts, run)
            iterations[run.key] = _num_iterations(cfg, images[run.sources])
        for run in runs:
            self.folder(run).claim(deciding_settings(self.config(run)))
        return Check(list(differences), iterations)


@dataclass(frozen=True)
class Check:
    """Result of `Job.check`.

    Attributes:
        differences: how settings and data differ from the protocol, a sentence each.
        iterations: key of a run -> iterations of its training.
    """

    differences: Sequence[str]
    iterations: dict[str, int]


@contextmanager
def only_one(output: Path) -> Iterator[None]:
    """Let one program at a time start the runs of a folder.

    Args:
        output: folder of the job; it is made.

    Raises:
        ValueError: another program works there.
    """
    output.mkdir(parents=True, exist_ok=True)
    with (output / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"Another program runs a protocol in {output}; wait for it, or choose another "
                "--output."
            ) from error
        except OSError:
            # A file system without locks.
            pass
        yield


def _num_images(facts: dict[str, Any], run: Run) -> int:
    return sum(facts[name]["subsets"]["train"]["images"] for name in run.sources)


def _num_iterations(cfg: CfgNode, images: int) -> int:
    planned = images // cfg.SOLVER.IMS_PER_BATCH * cfg.SOLVER.MAX_EPOCH
    return min(planned, cfg.SOLVER.STOP_ITERS) if cfg.SOLVER.STOP_ITERS > 0 else planned
