"""Which kernels the BLAS libraries of NumPy and SciPy run on this processor.

Both packages bring a copy of OpenBLAS, which chooses kernels when it is loaded. A copy that is
older than the processor does not know it and takes kernels that any processor can run, which are
several times slower (OpenBLAS issue 4267).
"""

from __future__ import annotations

import os
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from .openblas import MODULES, OpenBlas


class Vectors(IntEnum):
    """Vector instructions, in the order of the speed of matrix products."""

    SSE = 1
    AVX = 2
    AVX2 = 3
    AVX512 = 4

    def __str__(self) -> str:
        return "AVX-512" if self is Vectors.AVX512 else self.name


# Flags of /proc/cpuinfo that kernels need.
_FLAGS = {
    Vectors.AVX512: {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    Vectors.AVX2: {"avx2", "fma"},
    Vectors.AVX: {"avx"},
    Vectors.SSE: {"sse2"},
}
# OpenBLAS's names of x86 kernels, in lower case. All that are not here are for SSE.
_WIDE = {
    Vectors.AVX512: {"skylakex", "cooperlake", "sapphirerapids"},
    Vectors.AVX2: {"haswell", "zen"},
    Vectors.AVX: {"sandybridge", "bulldozer", "piledriver", "steamroller", "excavator"},
}


class BlasKernels(NamedTuple):
    """The kernels of a package's BLAS.

    Attributes:
        package: "numpy" or "scipy".
        library: name and version, for example "OpenBLAS 0.3.27"; "" if it is not OpenBLAS.
        core: the processor that the kernels are made for, for example "Haswell"; "" if unknown.
    """

    package: str
    library: str
    core: str

    @property
    def vectors(self) -> Vectors | None:
        """The vector instructions of the kernels; None if unknown."""
        if not self.core or processor_vectors() is None:
            return None
        for vectors, names in _WIDE.items():
            if self.core.lower() in names:
                return vectors
        return Vectors.SSE


@lru_cache(maxsize=1)
def loaded_kernels() -> tuple[BlasKernels, BlasKernels]:
    """Return the kernels that NumPy and SciPy run in this process."""
    numpy, scipy = (_kernels(package) for package in MODULES)
    return numpy, scipy


def _kernels(package: str) -> BlasKernels:
    try:
        library = OpenBlas(package)
    except OSError:
        return BlasKernels(package, "", "")
    version = " ".join(library.text("openblas_get_config").split()[:2])
    return BlasKernels(package, version, library.text("openblas_get_corename"))


@lru_cache(maxsize=1)
def processor_vectors() -> Vectors | None:
    """Return the widest vector instructions of this processor; None if it is not x86 on Linux."""
    return vectors_in(Path("/proc/cpuinfo"))


def vectors_in(file: Path) -> Vectors | None:
    """Find the widest vector instructions in a file like /proc/cpuinfo.

    Args:
        file: the file.

    Returns:
        The instructions; None if there is no such file, or no list of x86 flags in it.
    """
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), set())
    return next((vectors for vectors, needed in _FLAGS.items() if needed <= flags), None)


def best_kernels(numpy: BlasKernels, scipy: BlasKernels) -> BlasKernels:
    """Choose between two libraries: SciPy's if its kernels use wider vectors, else NumPy's.

    Libraries that are not OpenBLAS, such as MKL or Accelerate, know the processor themselves, so
    NumPy's is taken if either is unknown.

    Args:
        numpy: kernels of NumPy.
        scipy: kernels of SciPy.

    Returns:
        One of the two.
    """
    if numpy.vectors is None or scipy.vectors is None:
        return numpy
    return scipy if scipy.vectors > numpy.vectors else numpy


def describe_kernels(kernels: BlasKernels) -> str:
    """Describe the kernels in one line, and say whether they are a fallback.

    Args:
        kernels: kernels of one package.

    Returns:
        For example "OpenBLAS 0.3.23.dev, kernels Prescott (SSE): a fallback, because the processor
        has AVX2; matrix products are slow".
    """
    if not kernels.library:
        return "not OpenBLAS"
    text = f"{kernels.library}, kernels {kernels.core or 'unknown'}"
    vectors, available = kernels.vectors, processor_vectors()
    if vectors is None or available is None:
        return text
    text = f"{text} ({vectors})"
    if vectors >= available:
        return text
    reason = "the processor has"
    if os.environ.get("OPENBLAS_CORETYPE"):
        return f"{text}, set by OPENBLAS_CORETYPE; {reason} {available}"
    return f"{text}: a fallback, because {reason} {available}; matrix products are slow"
