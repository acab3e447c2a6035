"""NumPy work on all cores, and products of large matrices.

``threads`` runs functions on all cores that the process may use.
``blas_kernels`` finds out which kernels the BLAS libraries of NumPy and SciPy run, ``openblas``
calls them, and ``products`` multiplies matrices with the better ones.
"""

from .blas_kernels import BlasKernels, best_kernels, describe_kernels, loaded_kernels
from .products import matmul

__all__ = [
    "BlasKernels",
    "best_kernels",
    "describe_kernels",
    "loaded_kernels",
    "matmul",
]
