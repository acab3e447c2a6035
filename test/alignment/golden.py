"""Golden files: numbers that the PyTorch original computed, and the allowed differences from them.

A file has each number twice: in float64, which is the reference, and in float32, which shows the
size of rounding errors. An allowed error is a multiple of that size. Names are PyTorch's.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode, get_cfg
from fastreid.utils.checkpoint.names import to_torch_name
from test.golden.golden_inputs import golden_direction, golden_weight

FOLDER = Path(__file__).resolve().parent.parent / "golden"
CONFIGS = FOLDER.parent.parent / "configs"
# Gradients below this fraction of the largest are zero up to rounding and have no relative error.
NEGLIGIBLE = 1e-6
# Tensors that are no parameters in the original: statistics, and the queue of a MoCo.
BUFFERS, MEMORY = ("running_mean", "running_var"), "memory."
# Allowed multiple of the original's float32 error, and the error that is always allowed.
STRAY, FLOOR = 5, 2e-5
# An activation near the zero of its ReLU changes gradients by as much; see docs/alignment.md.
GRADIENT_FLOORS = {"median": 1e-3, "worst": 2e-2}


class Check(NamedTuple):
    """One row of the report: our error against float64, the original's in float32, the limit."""

    name: str
    error: float
    original: float
    allowance: float
    note: str = ""

    @property
    def passed(self) -> bool:
        return bool(self.error <= self.allowance)

    def row(self) -> tuple[str, str, str, str, str]:
        original = "-" if math.isnan(self.original) else f"{self.original:.2e}"
        verdict = "pass" if self.passed else f"FAIL {self.note}".rstrip()
        return self.name, f"{self.error:.2e}", original, f"{self.allowance:.2e}", verdict


class GoldenFile:
    """One .npz of the original's numbers.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if it is not a golden file, or lacks a requested number.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"The golden file {path} does not exist; check the path.")
        try:
            with np.load(self.path, allow_pickle=False) as data:
                self._data = {name: data[name] for name in data.files}
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} is not a golden file (.npz): {error}.") from error

    @property
    def kind(self) -> str:
        return str(self["meta/kind"])

    @property
    def seed(self) -> int:
        return int(self["meta/seed"])

    @property
    def size(self) -> tuple[int, int]:
        height, width = map(int, self["meta/size"])
        return height, width

    @property
    def options(self) -> list[str]:
        """KEY VALUE overrides of the config."""
        return self.strings("meta/opts")

    @property
    def config(self) -> str:
        """The config file, relative to configs/."""
        return str(self["meta/config"])

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._data:
            raise ValueError(f"{self.path} has no {name!r}; it is not a whole golden file.")
        return self._data[name]

    def strings(self, name: str) -> list[str]:
        return [str(text) for text in self[name]]

    @property
    def names(self) -> list[str]:
        return list(self._data)

    def keys(self, prefix: str) -> list[str]:
        """Names of the numbers that start with `prefix`."""
        start = f"f64/{prefix}"
        return [name[len("f64/") :] for name in self._data if name.startswith(start)]

    def truth(self, name: str) -> np.ndarray:
        return self[f"f64/{name}"].astype(np.float64)

    def float32(self, name: str) -> np.ndarray:
        return self[f"f32/{name}"].astype(np.float64)


def golden_config(golden: GoldenFile, config: str, **heads: Any) -> CfgNode:
    """Read the config of a golden file: a file of configs/, its size and its overrides.

    Args:
        golden: the file.
        config: relative to configs/.
        **heads: values of MODEL.HEADS, such as the numbers of classes.
    """
    cfg = get_cfg()
    cfg.merge_from_file(CONFIGS / config)
    cfg.MODEL.BACKBONE.PRETRAIN = False
    for key, value in heads.items():
        setattr(cfg.MODEL.HEADS, key, value)
    cfg.INPUT.SIZE_TRAIN = list(golden.size)
    cfg.INPUT.SIZE_TEST = list(golden.size)
    cfg.merge_from_list(golden.options)
    cfg.freeze()
    return cfg


def fill(model: nn.Cell, seed: int) -> None:
    """Give every tensor of a model the golden value of its PyTorch name; integers are 0."""
    for parameter in model.get_parameters():
        value = golden_weight(to_torch_name(parameter.name), parameter.shape, seed)
        if parameter.dtype != ms.float32:
            value = np.zeros_like(value)
        ops.assign(parameter, Tensor(value, parameter.dtype))


def summaries(arrays: Mapping[str, np.ndarray], names: list[str], seed: int) -> np.ndarray:
    """(l2 norm, projection on a fixed direction) of each named array, one row each."""
    rows = []
    for name in names:
        array = arrays[name].astype(np.float64)
        direction = golden_direction(name, array.shape, seed)
        rows.append((np.linalg.norm(array), (array * direction).sum()))
    return np.array(rows).reshape(-1, 2)


def check_same_names(name: str, ours: set[str], theirs: set[str]) -> Check:
    """Count the names that only one side has: none may be."""
    return exactly(name, sorted(ours ^ theirs))


def exactly(name: str, wrong: list) -> Check:
    """Check that nothing is wrong; the first few that are stand in the note."""
    return Check(name, float(len(wrong)), math.nan, 0.0, ", ".join(map(str, wrong[:3])))


def compare(name: str, value: np.ndarray, truth: np.ndarray, original: float) -> Check:
    """Compare arrays by their largest difference, given that of the original in float32."""
    value = np.asarray(value, np.float64)
    if value.shape != truth.shape:
        note = f"shape {value.shape}, the original's {truth.shape}"
        return Check(name, math.inf, original, 0.0, note)
    error = np.abs(value - truth).max()
    allowance = STRAY * np.nan_to_num(original) + FLOOR * np.abs(truth).max()
    # What is not a number is not within any limit.
    return Check(name, float(np.nan_to_num(error, nan=math.inf)), original, float(allowance))


def check_values(golden: GoldenFile, name: str, value: np.ndarray) -> Check:
    """Compare a forward value: |ours - f64| <= 5 |f32 - f64| + 2e-5 * scale, maxima over it."""
    truth = golden.truth(name)
    return compare(name, value, truth, float(np.abs(golden.float32(name) - truth).max()))


def check_buffers(
    golden: GoldenFile, name: str, weights: Mapping[str, np.ndarray], *, skip: str = " "
) -> Iterator[Check]:
    """Compare running statistics by their summaries, as forward values.

    Args:
        golden: the file.
        name: of the statistics in the file.
        weights: PyTorch name -> array, of all tensors.
        skip: leave out names with this text in them.
    """
    ours = {k for k in weights if k.endswith(("running_mean", "running_var"))}
    names = golden.strings(f"{name}.names")
    yield check_same_names(f"{name}.names", ours, set(names))
    kept = [i for i, key in enumerate(names) if skip not in key and key in ours]
    if not kept:  # group norms have no statistics
        return
    rows = summaries(weights, [names[i] for i in kept], golden.seed)
    truth, float32 = golden.truth(name)[kept], golden.float32(name)[kept]
    yield compare(name, rows, truth, float(np.abs(float32 - truth).max()))


def check_gradients(
    golden: GoldenFile, name: str, gradients: Mapping[str, np.ndarray]
) -> Iterator[Check]:
    """Compare gradients by their summaries, relative to their norms.

    The median over the parameters and the worst of them may each be five times the original's own
    in float32, and a floor. Those that vanish up to rounding are measured by the largest gradient.
    What the file does not name has no gradient there and must have none here.

    Args:
        golden: the file.
        name: of the gradients in the file.
        gradients: PyTorch name -> array.
    """
    names = golden.strings(f"{name}.names")
    reached = {key for key, gradient in gradients.items() if gradient.any()}
    missing = [key for key in names if key not in gradients]
    yield exactly(f"{name}.names", missing + sorted(reached - set(names)))
    present = [i for i, key in enumerate(names) if key in gradients]
    truth, float32 = golden.truth(name)[present], golden.float32(name)[present]
    ours = np.abs(summaries(gradients, [names[i] for i in present], golden.seed) - truth).max(1)
    original = np.abs(float32 - truth).max(1)
    ours = np.nan_to_num(ours, nan=math.inf)
    norms = truth[:, 0]
    counts = norms > NEGLIGIBLE * norms.max()
    relative, baseline = ours[counts] / norms[counts], original[counts] / norms[counts]
    for kind, reduce in (("median", np.median), ("worst", np.max)):
        stray = float(reduce(baseline))
        allowance = STRAY * stray + GRADIENT_FLOORS[kind]
        yield Check(f"{name} {kind}", float(reduce(relative)), stray, allowance)
    if not counts.all():
        vanishing = original[~counts].max() / norms.max()
        yield Check(
            f"{name} vanishing",
            float(ours[~counts].max() / norms.max()),
            float(vanishing),
            float(STRAY * vanishing + FLOOR),
        )


def check_unreached(
    golden: GoldenFile, weights: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]
) -> Check:
    """Check that exactly those parameters get no gradient that get none in the original."""
    unreached = set(golden.strings("basic.nograd"))
    parameters = {k for k in weights if not k.endswith(BUFFERS) and not k.startswith(MEMORY)}
    reached = {key for key in unreached & gradients.keys() if gradients[key].any()}
    known = unreached | set(golden.strings("basic.grad.names"))
    # In the original, scale and shift of a FrozenBN are no parameters.
    norms = {k.rpartition(".")[0] for k in weights if k.endswith("running_mean")}
    pairs = [{f"{norm}.weight", f"{norm}.bias"} for norm in norms]
    frozen = set().union(*(pair for pair in pairs if not pair & (known | gradients.keys())))
    return exactly("basic.nograd", sorted(reached | ((parameters - frozen) ^ known)))
