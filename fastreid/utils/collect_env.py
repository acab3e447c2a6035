"""What to paste into a bug report."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata

from tabulate import tabulate

from fastreid import __version__

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
_VARIABLES = (
    "FASTREID_DATASETS",
    "GLOG_v",
    "OMP_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "CUDA_VISIBLE_DEVICES",
    "ASCEND_RT_VISIBLE_DEVICES",
)


def collect_env_info() -> str:
    """Describe the platform, the versions of the packages and the variables that matter.

    Returns:
        A table of names and values.
    """
    rows = [
        ("platform", platform.platform()),
        ("python", sys.version.replace("\n", " ")),
        ("processors", str(os.cpu_count())),
        ("fastreid", __version__),
    ]
    rows += [(package, metadata_version(package)) for package in _PACKAGES]
    rows += [(name, os.environ.get(name, "<not set>")) for name in _VARIABLES]
    return tabulate(rows, disable_numparse=True)


def metadata_version(package: str) -> str:
    """Give the installed version of a package, or say that there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "<not installed>"
