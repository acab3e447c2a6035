import ast
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from fastreid.utils.processor import matmul, products, threads
from fastreid.utils.processor.blas_kernels import Vectors, processor_vectors
from fastreid.utils.processor.openblas import MODULES, OpenBlas, layout
from fastreid.utils.processor.products import best_library, multiply_in_tiles

PACKAGE = Path(__file__).parents[3] / "fastreid"
# The only product that is none of two large arrays: of sparse matrices.
SPARSE = {"evaluation/rerank/reciprocal_neighbours.py"}


def libraries():
    for package in MODULES:
        try:
            yield pytest.param(OpenBlas(package), id=package)
        except OSError:
            continue


LIBRARIES = list(libraries())


def matrices(rng, rows, inner, columns, dtype):
    """Both factors in every order in memory, whole, in part and with gaps."""
    first, second = rng.standard_normal((rows, inner)), rng.standard_normal((inner, columns))
    for kind in (
        np.array,
        np.asfortranarray,
        lambda matrix: np.pad(matrix, 2)[2:-2, 2:-2],
        lambda matrix: np.pad(matrix.T, 2)[2:-2, 2:-2].T,
        lambda matrix: np.repeat(np.repeat(matrix, 2, axis=0), 2, axis=1)[::2, ::2],
        lambda matrix: matrix[::-1].copy()[::-1],
    ):
        yield kind(first.astype(dtype)), kind(second.astype(dtype))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tile", [(1024, 1024), (5, 3), (1, 1), (7, 100)])
@pytest.mark.parametrize("shape", [(17, 9, 11), (1, 4, 6), (6, 1, 5), (3, 8, 1), (15, 2, 4)])
def test_products_of_matrices_in_any_order_are_right(library, dtype, tile, shape, monkeypatch):
    monkeypatch.setattr(products, "TILE", tile)
    for first, second in matrices(np.random.default_rng(0), *shape, dtype):
        got = multiply_in_tiles(library, first, second)
        assert (got.shape, got.dtype) == ((shape[0], shape[2]), dtype)
        assert got.flags.c_contiguous
        # Rounding of sums of nine products at most.
        limit = 30 * np.finfo(dtype).eps
        np.testing.assert_allclose(got, np.einsum("mk,kn->mn", first, second), atol=limit)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_bits_do_not_depend_on_the_number_of_threads(library, monkeypatch):
    rng = np.random.default_rng(1)
    first, second = (rng.standard_normal((1100, 300), np.float32) for _ in range(2))
    found = []
    for cores in (1, 2, 7):
        monkeypatch.setattr(threads, "num_cores", lambda cores=cores: cores)
        found.append(multiply_in_tiles(library, first, second.T).tobytes())
    assert len(set(found)) == 1


VECTORS = """
import hashlib
import numpy as np
from fastreid.utils.processor import matmul
rng = np.random.default_rng(0)
for rows, inner, columns in [(1, 2048, 1501), (1501, 2048, 1), (1, 40000, 1), (1, 300, 90)]:
    first, second = rng.standard_normal((rows, inner)), rng.standard_normal((inner, columns))
    for kind in (np.float32, np.float64):
        product = matmul(first.astype(kind), second.astype(kind))
        print(hashlib.sha256(product.tobytes()).hexdigest())
        turned = matmul(first.astype(kind), second.T.astype(kind).T)
        print(hashlib.sha256(turned.tobytes()).hexdigest())
"""


def test_the_bits_of_products_with_vectors_do_not_depend_on_the_threads_of_blas():
    # Of these kernels it is known that threads change the order of their sums.
    known = (processor_vectors() or 0) >= Vectors.AVX2
    kernels = {"OPENBLAS_CORETYPE": "Haswell"} if known else {}
    found = [
        subprocess.run(
            [sys.executable, "-c", VECTORS],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **kernels, "OPENBLAS_NUM_THREADS": str(threads)},
        ).stdout.splitlines()
        for threads in (1, 2)
    ]
    assert len(found[0]) == 16
    assert found[0] == found[1]


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_librarys_own_threads_are_off_during_a_product_only(library):
    def number():
        return library.num_threads

    before, inside = number(), []
    barrier = threading.Barrier(2, timeout=20)

    def enter():
        with library.on_one_thread():
            barrier.wait()
            inside.append(number())
            barrier.wait()

    callers = [threading.Thread(target=enter) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert inside == [1, 1]
    assert number() == before
    with pytest.raises(ZeroDivisionError), library.on_one_thread():
        _ = 1 / 0
    assert number() == before


@pytest.mark.parametrize("package", [library.id for library in LIBRARIES])
def test_objects_that_threads_load_at_once_count_the_same_callers(package):
    library = OpenBlas(package)
    before = library.num_threads
    library.num_threads = 2
    expected, inside = library.num_threads, []
    both_inside, first_left = threading.Barrier(2, timeout=20), threading.Event()

    def enter(*, is_first):
        with OpenBlas(package).on_one_thread():
            both_inside.wait()
            if not is_first:
                assert first_left.wait(20)
                inside.append(library.num_threads)
        if is_first:
            first_left.set()

    callers = [threading.Thread(target=enter, kwargs={"is_first": one}) for one in (True, False)]
    try:
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert inside == [1]
        assert library.num_threads == expected
    finally:
        library.num_threads = before


@pytest.mark.parametrize(
    "shape", [(700, 40, 900), (3, 4, 5), (1, 600, 2700), (2700, 600, 1), (1, 9, 1)]
)
def test_large_and_small_products_are_right(shape):
    rows, inner, columns = shape
    rng = np.random.default_rng(2)
    first, second = rng.standard_normal((rows, inner)), rng.standard_normal((columns, inner)).T
    for kind in (np.float32, np.float64):
        got = matmul(first.astype(kind), second.astype(kind))
        assert got.dtype == kind
        assert got.flags.c_contiguous
        np.testing.assert_allclose(
            got, np.matmul(first, second), atol=4 * inner * np.finfo(kind).eps
        )


def test_other_types_and_empty_matrices_are_multiplied_too():
    whole = np.arange(120000).reshape(300, 400)
    np.testing.assert_array_equal(matmul(whole, whole.T), np.matmul(whole, whole.T))
    mixed = matmul(np.ones((300, 40), np.float32), np.ones((40, 300)))
    assert mixed.dtype == np.float64
    assert (mixed == 40).all()
    assert matmul(np.ones((300, 0)), np.ones((0, 400))).shape == (300, 400)
    assert matmul(np.ones((0, 300)), np.ones((300, 400))).shape == (0, 400)
    for rows, inner, columns in [(1, 3, 0), (0, 3, 1), (1, 0, 2), (1, 0, 1)]:
        empty = matmul(np.ones((rows, inner)), np.ones((inner, columns)))
        np.testing.assert_array_equal(empty, np.zeros((rows, columns)))


def test_without_openblas_numpy_multiplies(monkeypatch):
    monkeypatch.setattr(products, "best_library", lambda: None)
    monkeypatch.setattr(products, "_library_of_numpy", lambda: None)
    assert (matmul(np.ones((300, 40)), np.ones((40, 300))) == 40).all()
    assert (matmul(np.ones((1, 40)), np.ones((40, 3000))) == 40).all()


@pytest.mark.parametrize("shapes", [((2, 3), (4, 3)), ((2, 3), (3,)), ((3,), (3, 2))])
def test_other_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match="matrices \\(M, K\\) and \\(K, N\\), not \\("):
        matmul(*map(np.ones, shapes))


def test_a_package_without_openblas_is_named(monkeypatch):
    monkeypatch.setitem(MODULES, "numpy", "_ctypes")
    with pytest.raises(OSError, match="The BLAS of numpy is not OpenBLAS"):
        OpenBlas("numpy")
    monkeypatch.setitem(MODULES, "numpy", "no.such.module")
    with pytest.raises(OSError, match="The BLAS of numpy cannot be loaded: No module named 'no'"):
        OpenBlas("numpy")


def test_the_best_library_is_one_of_the_two():
    assert best_library() is None or isinstance(best_library(), OpenBlas)


def test_layouts_of_contiguous_matrices_and_their_slices_are_found():
    matrix = np.zeros((4, 6), np.float32)
    assert layout(matrix) == (False, 6)
    assert layout(matrix.T) == (True, 6)
    assert layout(matrix[1:3, 2:5]) == (False, 6)
    assert layout(matrix[:, ::2]) is None
    assert layout(matrix[::-1]) is None


@pytest.mark.parametrize("folder", ["evaluation", "utils", "gallery", "export", "extraction"])
def test_all_products_of_arrays_go_through_one_function(folder):
    names = {"matmul", "dot", "tensordot", "inner", "vdot"}
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
                assert place in SPARSE, f"{place}, line {node.lineno}"
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np":
                assert node.attr not in names or place == "utils/processor/products.py"
