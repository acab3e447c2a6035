import pytest

from fastreid.utils.processor import blas_kernels
from fastreid.utils.processor.blas_kernels import (
    BlasKernels,
    Vectors,
    best_kernels,
    describe_kernels,
    loaded_kernels,
    vectors_in,
)

CPUINFO = "processor\t: 0\nflags\t\t: fpu sse2 {}\n\nprocessor\t: 1\nflags\t\t: fpu\n"


@pytest.fixture
def on(monkeypatch):
    """A function that sets what the processor has."""

    def use(vectors):
        monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
        monkeypatch.setattr(blas_kernels, "processor_vectors", lambda: vectors)

    return use


def kernels(core, package="numpy", library="OpenBLAS 0.3.23.dev"):
    return BlasKernels(package, library, core)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", Vectors.SSE),
        ("avx", Vectors.AVX),
        ("avx avx2", Vectors.AVX),
        ("avx avx2 fma avx512f", Vectors.AVX2),
        ("avx avx2 fma avx512f avx512bw avx512dq avx512vl", Vectors.AVX512),
    ],
)
def test_the_vectors_of_a_processor_are_read_from_its_flags(tmp_path, flags, expected):
    (tmp_path / "cpuinfo").write_text(CPUINFO.format(flags))
    assert vectors_in(tmp_path / "cpuinfo") == expected


def test_other_processors_are_unknown(tmp_path):
    (tmp_path / "cpuinfo").write_text("Features\t: fp asimd sve\n")
    assert vectors_in(tmp_path / "cpuinfo") is None
    assert vectors_in(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("numpy", "scipy", "expected"),
    [
        ("Prescott", "SapphireRapids", "scipy"),
        ("Nehalem", "Haswell", "scipy"),
        ("Haswell", "SkylakeX", "scipy"),
        ("Haswell", "Zen", "numpy"),
        ("SkylakeX", "Haswell", "numpy"),
        ("", "SkylakeX", "numpy"),
        ("Prescott", "", "numpy"),
        ("Generic", "Excavator", "scipy"),
    ],
)
def test_the_library_with_wider_vectors_is_chosen_and_numpys_of_equal_ones(
    numpy, scipy, expected, on
):
    on(Vectors.AVX512)
    assert best_kernels(kernels(numpy), kernels(scipy, "scipy")).package == expected
    on(None)
    assert best_kernels(kernels(numpy), kernels(scipy, "scipy")).package == "numpy"


@pytest.mark.parametrize("core", ["Prescott", "Generic", "Nehalem", "Sandybridge"])
def test_a_fallback_is_named(core, on):
    on(Vectors.AVX2)
    text = describe_kernels(kernels(core))
    assert text.startswith(f"OpenBLAS 0.3.23.dev, kernels {core} (")
    assert "): a fallback, because the processor has AVX2; matrix products are slow" in text


def test_kernels_that_fit_are_no_fallback(on, monkeypatch):
    on(Vectors.AVX2)
    assert describe_kernels(kernels("Haswell")) == "OpenBLAS 0.3.23.dev, kernels Haswell (AVX2)"
    on(Vectors.AVX512)
    assert "Haswell (AVX2): a fallback, because the processor has AVX-512" in describe_kernels(
        kernels("Haswell")
    )
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert describe_kernels(kernels("Haswell")).endswith(
        "(AVX2), set by OPENBLAS_CORETYPE; the processor has AVX-512"
    )
    on(None)
    assert describe_kernels(kernels("ARMV8")) == "OpenBLAS 0.3.23.dev, kernels ARMV8"
    assert describe_kernels(BlasKernels("numpy", "", "")) == "not OpenBLAS"


def test_the_kernels_of_both_packages_are_read():
    numpy, scipy = loaded_kernels()
    assert (numpy.package, scipy.package) == ("numpy", "scipy")
    for one in (numpy, scipy):
        assert bool(one.library) == bool(one.core)
        if one.library:
            assert one.library.startswith("OpenBLAS ")
