"""Description of the platform, packages and settings, for logs and bug reports."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from tabulate import tabulate

from fastreid import __version__

from .machine import num_cores, num_visible_cores
from .processor import best_kernels, describe_kernels, loaded_kernels

_SOURCE = Path(__file__).resolve().parents[2]
_PACKAGES = (
    "mindspore",
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "pillow",
    "scipy",
    "pyyaml",
    "yacs",
    "tabulate",
    "termcolor",
)
_NUMERIC_PACKAGES = ("mindspore", "numpy", "opencv-python-headless", "opencv-python", "pillow")
_VARIABLES = (
    "FASTREID_DATASETS",
    "GLOG_v",
    "OMP_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "CUDA_VISIBLE_DEVICES",
    "ASCEND_RT_VISIBLE_DEVICES",
)


def collect_env_info() -> str:
    """List the platform, the package versions and the relevant environment variables.

    Returns:
        A text table of names and values.
    """
    rows = [
        ("platform", platform.platform()),
        ("python", sys.version.replace("\n", " ")),
        ("processors", _processors()),
        ("fastreid", __version__),
        ("git", git_state()),
        ("command", command_line()),
    ]
    rows += [(package, metadata_version(package)) for package in _PACKAGES]
    rows += [(f"BLAS of {one.package}", describe_kernels(one)) for one in loaded_kernels()]
    rows.append(("matrix products by", best_kernels(*loaded_kernels()).package))
    rows += [(name, os.environ.get(name, "<not set>")) for name in _VARIABLES]
    return tabulate(rows, disable_numparse=True)


def _processors() -> str:
    """Return how many cores this process may use, and what limits it, if anything does."""
    total, visible, usable = os.cpu_count(), num_visible_cores(), num_cores()
    limits = [f"affinity {visible}"] * (visible != total) + [f"quota {usable}"] * (usable < visible)
    return f"{total} ({', '.join(limits)})" if limits else str(total)


def collect_versions() -> dict[str, str]:
    """Return the versions of everything that can change a run's numbers, by package name."""
    versions = {"python": platform.python_version(), "fastreid": __version__}
    return {**versions, **{name: metadata_version(name) for name in _NUMERIC_PACKAGES}}


def command_line() -> str:
    """Return the command line of this process."""
    return " ".join(sys.argv)


def git_state(folder: Path = _SOURCE) -> str:
    """Return the commit of a source tree and the number of changed files, if any.

    Args:
        folder: root of the tree.
    """
    if not (folder / ".git").exists():
        return "<no repository>"
    commit = _git(folder, "rev-parse", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changed is None:
        return "<unknown>"
    return f"{commit}, {len(changed.splitlines())} changed files" if changed else commit


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def metadata_version(package: str) -> str:
    """Return the installed version of a package, or "<not installed>"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "<not installed>"
