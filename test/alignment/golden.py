"""Golden files: what the PyTorch original computed, and how far we may be from it.

A file holds each number twice: in float64, which is the truth, and in float32, which shows how far
rounding alone strays. An allowance is a multiple of that distance. Names are PyTorch's.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from mindspore import Tensor, ops

from fastreid.utils.torch_weights import to_torch_name
from test.golden.golden_inputs import golden_direction, golden_weight

FOLDER = Path(__file__).resolve().parent.parent / "golden"
# Gradients below this share of the largest are zero up to rounding: nothing relative about them.
NEGLIGIBLE = 1e-6


class Check(NamedTuple):
    """One row of the report: our error against float64, the original's in float32, the limit."""

    name: str
    error: float
    original: float
    allowance: float

    @property
    def passed(self):
        return bool(self.error <= self.allowance)

    def __str__(self):
        verdict = "pass" if self.passed else "FAIL"
        return (
            f"{self.name:<34} ours {self.error:9.2e}  original's float32 {self.original:9.2e}  "
            f"allowed {self.allowance:9.2e}  {verdict}"
        )


class GoldenFile:
    """One .npz of the original's numbers.

    Args:
        path: the file.
    """

    def __init__(self, path):
        with np.load(path, allow_pickle=False) as data:
            self._data = {name: data[name] for name in data.files}
        self.kind = str(self._data["meta/kind"])
        self.seed = int(self._data["meta/seed"])
        self.size = tuple(int(side) for side in self._data["meta/size"])
        self.options = [str(option) for option in self._data["meta/opts"]]

    @property
    def config(self):
        """The config file, relative to configs/."""
        return str(self._data["meta/config"])

    def strings(self, name):
        return [str(text) for text in self._data[name]]

    def keys(self, prefix):
        """Names of the numbers that start with `prefix`."""
        start = f"f64/{prefix}"
        return [name[len("f64/") :] for name in self._data if name.startswith(start)]

    def truth(self, name):
        return self._data[f"f64/{name}"].astype(np.float64)

    def float32(self, name):
        return self._data[f"f32/{name}"].astype(np.float64)


def fill(model, seed):
    """Give every tensor of a model the golden value of its PyTorch name."""
    for parameter in model.get_parameters():
        value = golden_weight(to_torch_name(parameter.name), parameter.shape, seed)
        ops.assign(parameter, Tensor(value))


def check_values(golden, name, value):
    """Compare a forward value: |ours - f64| <= 5 |f32 - f64| + 2e-5 * scale, maxima over it."""
    truth = golden.truth(name)
    value = np.asarray(value, np.float64)
    if value.shape != truth.shape:
        raise AssertionError(f"{name}: shape {value.shape}, the original's {truth.shape}")
    original = np.abs(golden.float32(name) - truth).max()
    error = np.abs(value - truth).max()
    return Check(name, error, original, 5 * original + 2e-5 * np.abs(truth).max())


def summaries(arrays, names, seed):
    """(l2 norm, projection on a fixed direction) of each named array, one row each."""
    rows = []
    for name in names:
        array = arrays[name].astype(np.float64)
        direction = golden_direction(name, array.shape, seed)
        rows.append((np.linalg.norm(array), (array * direction).sum()))
    return np.array(rows)


def check_buffers(golden, name, buffers):
    """Compare running statistics by their summaries, as forward values."""
    names = golden.strings(f"{name}.names")
    return check_values(golden, name, summaries(buffers, names, golden.seed))


def check_gradients(golden, name, gradients):
    """Compare gradients by their summaries, relative to their norms.

    The median over the parameters and the worst of them may each be five times the original's own
    in float32. Those that vanish up to rounding are compared with the largest gradient instead.

    Args:
        golden: the file.
        name: of the gradients in the file.
        gradients: PyTorch name -> array; the names must be exactly those of the file.

    Returns:
        A list of `Check`s.
    """
    names = golden.strings(f"{name}.names")
    if set(names) != set(gradients):
        raise AssertionError(f"{name}: names differ: {sorted(set(names) ^ set(gradients))}")
    truth, float32 = golden.truth(name), golden.float32(name)
    ours = np.abs(summaries(gradients, names, golden.seed) - truth).max(1)
    original = np.abs(float32 - truth).max(1)
    norms = truth[:, 0]
    counts = norms > NEGLIGIBLE * norms.max()
    relative, baseline = ours[counts] / norms[counts], original[counts] / norms[counts]
    checks = [
        Check(f"{name} median", *_limits(np.median(relative), np.median(baseline))),
        Check(f"{name} worst", *_limits(relative.max(), baseline.max())),
    ]
    if not counts.all():
        vanishing = ours[~counts].max() / norms.max()
        of_original = original[~counts].max() / norms.max()
        allowance = 5 * of_original + 2e-5
        checks.append(Check(f"{name} vanishing", vanishing, of_original, allowance))
    return checks


def _limits(error, original):
    return error, original, 5 * original
