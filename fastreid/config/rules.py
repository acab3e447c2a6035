"""Constraints on the values of settings, beyond their types."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fastreid.utils.file_io.paths import expand_home

# Settings that are paths.
_PATHS = ("OUTPUT_DIR", "MODEL.WEIGHTS", "MODEL.BACKBONE.PRETRAIN_PATH", "DATASETS.IMAGE_LIST")
# Types of the elements of list settings.
ELEMENTS: Mapping[str, type] = {
    "DATASETS.NAMES": str,
    "DATASETS.TESTS": str,
    "DATALOADER.SET_WEIGHT": float,
    "INPUT.CROP.RATIO": float,
    "INPUT.CROP.SCALE": float,
    "INPUT.CROP.SIZE": int,
    "INPUT.REA.VALUE": float,
    "INPUT.SIZE_TEST": int,
    "INPUT.SIZE_TRAIN": int,
    "KD.MODEL_CONFIG": str,
    "KD.MODEL_WEIGHTS": str,
    "MODEL.BACKBONE.STRIDE_SIZE": int,
    "MODEL.FREEZE_LAYERS": str,
    "MODEL.HEADS.CLASSES_PER_DOMAIN": int,
    "MODEL.LOSSES.NAME": str,
    "MODEL.PIXEL_MEAN": float,
    "MODEL.PIXEL_STD": float,
    "SOLVER.STEPS": int,
}
ELEMENT_WORDS = {str: "strings", int: "integers", float: "numbers"}


class _Rule(NamedTuple):
    """A condition, and the words that complete "it must be ..."."""

    words: str
    holds: Callable[[Any], bool]


def _from(least: float) -> _Rule:
    return _Rule(f"at least {least}", lambda value: value >= least)


def _one_of(*names: str) -> _Rule:
    words = f"{', '.join(names[:-1])} or {names[-1]}"
    return _Rule(words, lambda name: name in names)


def _all(count: int, words: str, holds: Callable[[Any], bool]) -> _Rule:
    return _Rule(words, lambda values: len(values) == count and all(map(holds, values)))


_ABOVE_ZERO = _Rule("above 0", lambda value: value > 0)
_FRACTION = _Rule("from 0 to 1", lambda value: 0 <= value <= 1)
# The first layers of a backbone halve height and width twice.
_SIDES = "height and width of at least 4 pixels, such as [256, 128]"


def _are_sides(values: Sequence[int]) -> bool:
    return all(side >= 4 for side in values)


_RANGE = _Rule(
    "two numbers above 0, the smaller one first",
    lambda values: len(values) == 2 and 0 < values[0] <= values[1],
)
_COLOURS = "three numbers, one for each of red, green and blue"

RULES: Mapping[str, _Rule] = {
    "SEED": _Rule("from 0 to 4294967295", lambda value: 0 <= value < 2**32),
    "DISPATCH_THREADS": _from(0),
    "MODEL.PIXEL_MEAN": _all(3, _COLOURS, lambda _: True),
    "MODEL.PIXEL_STD": _all(3, f"{_COLOURS}, above 0", lambda value: value > 0),
    "MODEL.LOSSES.NAME": _Rule("one loss or more", lambda names: len(names) > 0),
    "MODEL.BACKBONE.FEAT_DIM": _from(1),
    "MODEL.BACKBONE.LAST_STRIDE": _Rule("1 or 2", lambda value: value in (1, 2)),
    "MODEL.HEADS.NUM_CLASSES": _from(0),
    "MODEL.HEADS.EMBEDDING_DIM": _from(0),
    "KD.EMA.MOMENTUM": _FRACTION,
    "MODEL.HEADS.CLASSIFIERS": _one_of("auto", "joint", "per_domain"),
    "INPUT.SIZE_TRAIN": _Rule(
        f"{_SIDES}, or the length of the shorter side, or [0], which does not resize; the last two "
        "need INPUT.CROP",
        lambda values: list(values) == [0] or (len(values) in (1, 2) and _are_sides(values)),
    ),
    "INPUT.SIZE_TEST": _Rule(
        f"{_SIDES}, or the length of the shorter side, or [0], which does not resize",
        lambda values: list(values) == [0] or (len(values) in (1, 2) and _are_sides(values)),
    ),
    "INPUT.CROP.SIZE": _Rule(
        f"{_SIDES}, or the side of a square",
        lambda values: len(values) in (1, 2) and _are_sides(values),
    ),
    "INPUT.CROP.SCALE": _RANGE,
    "INPUT.CROP.RATIO": _RANGE,
    "INPUT.FLIP.PROB": _FRACTION,
    "INPUT.CJ.PROB": _FRACTION,
    "INPUT.AUTOAUG.PROB": _FRACTION,
    "INPUT.AUGMIX.PROB": _FRACTION,
    "INPUT.REA.PROB": _FRACTION,
    "INPUT.RPT.PROB": _FRACTION,
    "INPUT.PADDING.SIZE": _from(0),
    "INPUT.REA.VALUE": _all(3, _COLOURS, lambda _: True),
    "DATALOADER.NUM_INSTANCE": _from(1),
    "DATALOADER.NUM_WORKERS": _from(0),
    "SOLVER.IMS_PER_BATCH": _from(1),
    "SOLVER.ACCUMULATE": _from(1),
    "SOLVER.MAX_EPOCH": _from(1),
    "SOLVER.STOP_ITERS": _from(0),
    "SOLVER.LOG_PERIOD": _from(1),
    "SOLVER.CHECKPOINT_PERIOD": _from(0),
    "SOLVER.CHECKPOINT_PERIOD_ITERS": _from(0),
    "SOLVER.BASE_LR": _from(0),
    "SOLVER.HEADS_LR_FACTOR": _from(0),
    "SOLVER.BIAS_LR_FACTOR": _from(0),
    "SOLVER.MOMENTUM": _Rule("at least 0 and below 1", lambda value: 0 <= value < 1),
    "SOLVER.WEIGHT_DECAY": _from(0),
    "SOLVER.WEIGHT_DECAY_NORM": _from(0),
    "SOLVER.WEIGHT_DECAY_BIAS": _from(0),
    "SOLVER.STEPS": _Rule("epochs of at least 0", lambda values: min(values, default=0) >= 0),
    "SOLVER.STEPS_FROM": _one_of("auto", "start", "warmup"),
    "SOLVER.EMA.MOMENTUM": _Rule("at least 0 and below 1", lambda value: 0 <= value < 1),
    "SOLVER.GAMMA": _from(0),
    "SOLVER.ETA_MIN_LR": _from(0),
    "SOLVER.DELAY_EPOCHS": _from(0),
    "SOLVER.WARMUP_FACTOR": _from(0),
    "SOLVER.WARMUP_ITERS": _from(0),
    "SOLVER.WARMUP_UNIT": _one_of("auto", "iteration", "epoch"),
    "SOLVER.WARMUP_EPOCHS": _from(-1),
    "SOLVER.FREEZE_ITERS": _from(0),
    "SOLVER.CLIP_GRADIENTS.CLIP_VALUE": _ABOVE_ZERO,
    "SOLVER.CLIP_GRADIENTS.NORM_TYPE": _ABOVE_ZERO,
    "SOLVER.META.PERIOD": _from(0),
    "SOLVER.META.FIRST_BASIC_STEPS": _from(0),
    "TEST.EVAL_PERIOD": _from(0),
    "TEST.IMS_PER_BATCH": _from(1),
    "TEST.METRIC": _one_of("cosine", "euclidean"),
    "TEST.SINGLE_GALLERY_SHOT.SEED": _from(0),
    "TEST.AQE.QE_TIME": _from(0),
    "TEST.AQE.QE_K": _from(1),
    "TEST.RERANK.K1": _from(1),
    "TEST.RERANK.K2": _from(1),
    "TEST.RERANK.LAMBDA": _FRACTION,
}


def checked_value(name: str, value: Any, source: str) -> Any:
    """Check the value of a setting, and expand "~" in paths.

    Args:
        name: dotted key, such as "SOLVER.BASE_LR".
        value: new value, of the type of the default.
        source: origin of the value, for messages.

    Returns:
        The value to set.

    Raises:
        ValueError: the value is out of range, has a wrong length, is not finite, or is a string
            with a line break.

    Examples:
        >>> from fastreid.config.rules import checked_value
        >>> checked_value("INPUT.FLIP.PROB", 0.5, "my.yml")
        0.5
        >>> checked_value("INPUT.FLIP.PROB", 1.5, "my.yml")
        Traceback (most recent call last):
            ...
        ValueError: my.yml: INPUT.FLIP.PROB is 1.5; it must be from 0 to 1.
    """
    if isinstance(value, str) and any(character in value for character in "\0\n\r"):
        raise ValueError(
            f"{source}: {name} contains a line break or a null character: {value!r:.200}."
        )
    numbers = value if isinstance(value, (list, tuple)) else (value,)
    if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
        raise ValueError(f"{source}: {name} is {value!r}; it must be finite.")
    rule = RULES.get(name)
    if rule is not None and not rule.holds(value):
        raise ValueError(f"{source}: {name} is {value!r}; it must be {rule.words}.")
    return _expanded(name, value, source) if name in _PATHS else value


def _expanded(name: str, value: str, source: str) -> str:
    return str(expand_home(value, f"{source}: {name}")) if value.startswith("~") else value
