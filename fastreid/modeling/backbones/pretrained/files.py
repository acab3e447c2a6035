"""The file of ImageNet weights of a backbone: where to find it, and how to read it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from fastreid.config import CfgNode
from fastreid.utils.checkpoint.names import plain_names
from fastreid.utils.checkpoint.recognition.description import (
    BACKBONE_PREFIXES,
    describe_weights,
    in_words,
)
from fastreid.utils.checkpoint.release_names import is_auxiliary
from fastreid.utils.checkpoint.weights_file import choose_weights, read_candidates, split_key_path
from fastreid.utils.file_io.cache_folder import cache_folder
from fastreid.utils.file_io.paths import expand_home

from .rules import PretrainedRules, pretrained_rules

# Subfolders of a cache folder to look in, and the suffix of converted files.
_INSIDE = ("", "checkpoints", "hub/checkpoints")
_CONVERTED = ".ckpt"
# A head of a fast-reid model, with the prefix of its name; MoCo's two encoders (v1/v2, v3).
_HEAD = re.compile(r"(?P<start>(.*\.)?)(heads|b\d+_head)\.")
_TRAINED = re.compile(r"(^|\.)(encoder_q|base_encoder)\.")
_FOLLOWER = re.compile(r"(^|\.)(encoder_k|momentum_encoder)\.")
# The end of a published name: a part of the file's hash.
_HASH = re.compile(r"-[0-9a-f]{8}(?=\.\w+$)")
_SCRATCH = "MODEL.BACKBONE.PRETRAIN False trains from scratch."


def find_pretrained(cfg: CfgNode) -> Path:
    """Find the ImageNet weights for the backbone of a config. Nothing is downloaded.

    `MODEL.BACKBONE.PRETRAIN_PATH` is the file, or a folder with the published file;
    ``FILE::KEY`` names one of several sets of weights in a file. If it is empty, the published
    file is looked for in $FASTREID_CACHE (default ~/.cache/fastreid), then in PyTorch's $TORCH_HOME
    (default $XDG_CACHE_HOME/torch or ~/.cache/torch). In each folder and its subfolders
    ``checkpoints`` and ``hub/checkpoints``, the file has its published name, or the same name with
    the suffix ``.ckpt`` if it was converted.

    Args:
        cfg: the whole config.

    Returns:
        The file, which exists.

    Raises:
        ValueError: if nothing was published for this backbone and no file is given.
        FileNotFoundError: if there is no such file; the message lists the folders searched, and
            where to put the file.
    """
    if not cfg.MODEL.BACKBONE.PRETRAIN_PATH:
        return _find_published(cfg, _cache_folders())
    given = Path(cfg.MODEL.BACKBONE.PRETRAIN_PATH).expanduser()
    if given.is_dir():
        return _find_published(cfg, [given])
    if not split_key_path(given)[0].is_file():
        raise FileNotFoundError(
            f"MODEL.BACKBONE.PRETRAIN_PATH {given} is neither a file nor a folder. {_SCRATCH}"
        )
    return given


def _find_published(cfg: CfgNode, roots: list[Path]) -> Path:
    backbone = cfg.MODEL.BACKBONE
    rules = pretrained_rules(backbone.NAME)
    key = rules.key(backbone)
    if key not in rules.files:
        others = f"only for {sorted(rules.files)}" if rules.files else "nor for others of its kind"
        raise ValueError(
            f"No ImageNet weights are published for {backbone.NAME} with {key!r} (options of "
            f"MODEL.BACKBONE), {others}. Set MODEL.BACKBONE.PRETRAIN_PATH to a file of your own; "
            f"{_SCRATCH}"
        )
    published = rules.files[key]
    names = list(dict.fromkeys((published.name, f"{Path(published.name).stem}{_CONVERTED}")))
    folders = list(dict.fromkeys(root / inside for root in roots for inside in _INSIDE))
    for folder in folders:
        for name in names:
            if _is_readable_file(folder / name):
                return folder / name
    similar = _similar_files(folders, published.name)
    hint = f" There is {similar[0]}: if it is right, give its path." if similar else ""
    raise FileNotFoundError(
        f"The ImageNet weights {' or '.join(names)} are in none of "
        f"{', '.join(map(str, folders))}. Download {published.url} and put it into {roots[0]}, or "
        f"set MODEL.BACKBONE.PRETRAIN_PATH to where you have it.{hint} {_SCRATCH}"
    )


def _similar_files(folders: list[Path], published: str) -> list[Path]:
    """Find files of the same network, whose names differ in the hash at the end only."""
    start = _HASH.split(published)[0]
    if start == published:
        return []
    files = [path for folder in folders for path in sorted(folder.glob(f"{start}-*"))]
    return [path for path in files if _HASH.split(path.name)[0] == start]


def _is_readable_file(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        # A cache folder of another user, without read permission, is skipped.
        return False


def _cache_folders() -> list[Path]:
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    torch = os.environ.get("TORCH_HOME") or str(Path(cache) / "torch")
    return [cache_folder(), expand_home(torch, "TORCH_HOME or XDG_CACHE_HOME")]


def read_pretrained(
    path: Path,
    expected: Mapping[str, tuple[int, ...]] | None = None,
    *,
    rules: PretrainedRules | None = None,
    adapt: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]] | None = None,
) -> dict[str, np.ndarray]:
    """Read ImageNet weights without their classifier.

    Args:
        path: a file of weights, as published; of MoCo's two encoders the query encoder is taken.
        expected: PyTorch name -> shape of the tensors that the backbone needs, to choose between
            several sets of weights in the file; None: not known.
        rules: the names of the backbone's classifier, and the conversion of its weights; None: the
            rules of torchvision's ResNets.
        adapt: changes the weights, PyTorch name -> array, before the classifier is removed; None:
            nothing changes.

    Returns:
        PyTorch name -> array, without the classifier (`fc.*`, `classifier.*`) and the batch
        counters.

    Raises:
        ValueError: if the file cannot be read, has several sets of weights, or is a whole re-ID
            model.
    """
    rules = rules or PretrainedRules()
    file, key_path = split_key_path(path)
    candidates = read_candidates(file, expected)
    for candidate in candidates:
        if key_path in ("", candidate.key_path):
            _refuse_model(candidate.weights, file)
    own = [
        candidate._replace(weights=_converted(_queries(candidate.weights), rules, expected))
        for candidate in candidates
    ]
    weights = choose_weights(own, expected, file, key_path=key_path)
    prefix = describe_weights({name: value.shape for name, value in weights.items()}).prefix
    bare: Mapping[str, np.ndarray] = {_without_prefix(k, prefix): v for k, v in weights.items()}
    if adapt is not None:
        bare = adapt(bare)
    return {
        name: value
        for name, value in bare.items()
        if not name.startswith(rules.classifiers) and not is_auxiliary(name)
    }


def _converted(
    weights: dict[str, np.ndarray],
    rules: PretrainedRules,
    expected: Mapping[str, tuple[int, ...]] | None,
) -> dict[str, np.ndarray]:
    return rules.convert(plain_names(weights), expected or {}) if rules.convert else weights


def _refuse_model(weights: Mapping[str, np.ndarray], file: Path) -> None:
    """Raise ValueError for the weights of a whole model, a backbone and a head."""
    start = next((match["start"] for match in map(_HEAD.match, weights) if match), None)
    if start is None or not any(name.startswith(f"{start}backbone.") for name in weights):
        return
    model = {k[len(start) :]: v.shape for k, v in weights.items() if k.startswith(start)}
    looks = in_words(describe_weights(model)) or "a model with a head of fast-reid"
    raise ValueError(
        f"{file} looks like {looks}, not like ImageNet weights. To start from it, set "
        f"MODEL.WEIGHTS {file} and MODEL.BACKBONE.PRETRAIN False."
    )


def _queries(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Remove the momentum encoder, where MoCo wrote it beside the trained one."""
    kept = {name: value for name, value in weights.items() if not _FOLLOWER.search(name)}
    return kept if any(map(_TRAINED.search, kept)) else dict(weights)


def _without_prefix(name: str, prefix: str) -> str:
    if prefix in BACKBONE_PREFIXES and name.startswith(prefix):
        return name[len(prefix) :]
    return name
