"""A person re-identification toolbox on MindSpore, in fast-reid's layout.

Importing the package sets environment variables that MindSpore reads when it is imported, and does
not import MindSpore itself: data workers import this package.
"""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

from . import moved
from .utils.machine import num_cores, num_visible_cores

__version__ = "0.2.0"

__all__ = ["__version__"]


def _quieten_mindspore() -> None:
    """Let only MindSpore's errors through, each once, unless the user chose a level."""
    os.environ.setdefault("GLOG_v", "3")
    # A failed compile is reported by the exception; its copy in the log is noise.
    os.environ.setdefault("MS_SUBMODULE_LOG_v", "{ANALYZER:4}")


def _let_protobuf_read_old_modules() -> None:
    """Choose protobuf in Python, which MindSpore's own modules need and MindSpore chooses too.

    It does so when it is imported, which is too late if another program has imported protobuf.
    """
    if _mindspore_version() > (0, 0):
        os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")


def _limit_onednn() -> None:
    """Keep oneDNN of MindSpore 2.9 and later off AVX-512, unless the user chose otherwise."""
    if "ONEDNN_MAX_CPU_ISA" in os.environ or _mindspore_version() < (2, 9):
        return
    # There these releases fall back to a reference convolution that is about 100 times slower.
    if _has_avx512():
        os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"


def _mindspore_version() -> tuple[int, int]:
    try:
        major, minor = metadata.version("mindspore").split(".")[:2]
        return int(major), int(minor)
    except (metadata.PackageNotFoundError, ValueError):
        return 0, 0


def _has_avx512(cpuinfo: str = "/proc/cpuinfo") -> bool:
    try:
        return "avx512f" in Path(cpuinfo).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _limit_threads() -> None:
    """Let libraries start no more threads than a quota has cores, unless the user chose a number.

    They count the cores that they see: all those of the machine.
    """
    cores = num_cores()
    if cores < num_visible_cores():
        os.environ.setdefault("OMP_NUM_THREADS", str(cores))


_quieten_mindspore()
_let_protobuf_read_old_modules()
_limit_onednn()
_limit_threads()
moved.install()
