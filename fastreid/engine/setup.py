"""Setup before training: command line, device, mode, seed, logs, and class counts."""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from pathlib import Path

import mindspore as ms

from fastreid.config import CfgNode, explicit_config, import_modules
from fastreid.data import check_class_counts
from fastreid.modeling import META_ARCH_REGISTRY, classifier_prefixes
from fastreid.utils import comm
from fastreid.utils.checkpoint.checkpoint_list import CHECKPOINT_LIST
from fastreid.utils.collect_env import collect_env_info
from fastreid.utils.env import seed_all_rng
from fastreid.utils.logger import setup_logger

from .cpu import place_kernels, reserve_memory, set_cpu_threads
from .launch.rank_output import move_output
from .resume.saved_config import write_config

logger = logging.getLogger(__name__)

# Parameters that depend on the identities of the training set; weights of another run lack them.
CLASSIFIER_PREFIXES = classifier_prefixes()

_DEVICE_TARGETS = {"cpu": "CPU", "cuda": "GPU", "gpu": "GPU", "npu": "Ascend", "ascend": "Ascend"}
_MODES = {"graph": ms.GRAPH_MODE, "pynative": ms.PYNATIVE_MODE}


def default_argument_parser() -> argparse.ArgumentParser:
    """Create the parser of fast-reid's command line."""
    parser = argparse.ArgumentParser(
        description="Train or evaluate a person re-identification model.",
        epilog="KEY VALUE pairs at the end change the configuration, e.g. SOLVER.BASE_LR 0.01",
    )
    parser.add_argument("--config-file", default="", metavar="FILE", help="YAML configuration")
    parser.add_argument(
        "--resume", action="store_true", help="resume from the last checkpoint in OUTPUT_DIR"
    )
    parser.add_argument("--eval-only", action="store_true", help="evaluate MODEL.WEIGHTS")
    parser.add_argument("--num-gpus", type=int, default=1, help="devices per machine")
    parser.add_argument("--num-machines", type=int, default=1, help="number of machines")
    parser.add_argument("--machine-rank", type=int, default=0, help="rank of this machine, from 0")
    parser.add_argument(
        "--dist-url",
        default="auto",
        help="address of machine 0, tcp://HOST:PORT; auto: a free port, for a job on one machine",
    )
    parser.add_argument(
        "opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs", metavar="KEY VALUE"
    )
    return parser


def default_setup(cfg: CfgNode, args: argparse.Namespace) -> None:
    """Set up logs, device, mode and seed, and save a copy of the configuration.

    Writes ``log.txt`` and ``config.yaml`` into OUTPUT_DIR. With several processes, each writes its
    own log, ``log/rank_<r>.txt``.

    Args:
        cfg: the whole configuration, frozen.
        args: the parsed command line; its ``resume`` is read.

    Raises:
        ValueError: MODE or MODEL.DEVICE is unknown, the device does not exist, or a module of
            MODULES cannot be imported.
        OSError: OUTPUT_DIR cannot be written.
    """
    output_dir = Path(cfg.OUTPUT_DIR)
    _require_writable(output_dir)
    _start_log(output_dir)
    logger.info("Rank %d of %d", comm.get_rank(), comm.get_world_size())
    logger.info("Environment info:\n%s", collect_env_info())
    logger.info("Command line arguments: %s", args)
    # `load_config` does this too; here it is for scripts without `load_config`, and for the log.
    import_modules(cfg.MODULES)
    target = set_device_and_mode(cfg)
    logger.info("Running on %s in %s mode with seed %d", target, cfg.MODE, cfg.SEED)
    seed_all_rng(cfg.SEED)
    if getattr(args, "resume", False):
        _warn_if_the_run_was_moved(output_dir, args.config_file)
    for key in _settings_without_effect(cfg):
        name = cfg.MODEL.META_ARCHITECTURE
        logger.warning("%s is set, but has no effect with MODEL.META_ARCHITECTURE %s", key, name)
    if cfg.SOLVER.AMP.ENABLED and not uses_mixed_precision(cfg):
        logger.warning("SOLVER.AMP.ENABLED is ignored on %s, where float32 is faster", target)
    write_config(cfg)


def _warn_if_the_run_was_moved(output_dir: Path, config_file: str) -> None:
    """Warn if the configuration is in a folder of checkpoints, but OUTPUT_DIR is another folder."""
    beside = Path(config_file).parent if config_file else output_dir
    if (beside / CHECKPOINT_LIST).is_file() and not (output_dir / CHECKPOINT_LIST).is_file():
        logger.warning(
            "%s is in a folder with checkpoints, but OUTPUT_DIR is %s, which has none. If the run "
            "was moved, resume it with OUTPUT_DIR %s",
            *(config_file, output_dir, beside),
        )


def uses_mixed_precision(cfg: CfgNode) -> bool:
    """Tell whether `SOLVER.AMP.ENABLED` is set and has an effect on the current device."""
    return cfg.SOLVER.AMP.ENABLED and ms.get_context("device_target") != "CPU"


def _require_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            f"OUTPUT_DIR {folder} cannot be written: {error}. Set OUTPUT_DIR to a writable folder."
        ) from error


def _start_log(output_dir: Path) -> None:
    if comm.get_world_size() == 1:
        setup_logger(output_dir)
        return
    path = output_dir / "log" / f"rank_{comm.get_rank()}.txt"
    # The supervisor of `launch` reads the output of the ranks, and shows that of rank 0.
    setup_logger(None if move_output(path) else path)


def _settings_without_effect(cfg: CfgNode) -> list[str]:
    """List the keys of distillation that are set but that the model does not read."""
    name = cfg.MODEL.META_ARCHITECTURE
    model = META_ARCH_REGISTRY.get(name) if name in META_ARCH_REGISTRY else None
    values = {
        "KD.MODEL_CONFIG": cfg.KD.MODEL_CONFIG,
        "KD.EMA.ENABLED": cfg.KD.EMA.ENABLED,
    }
    takes_teachers = getattr(model, "takes_teachers", False)
    return [key for key, value in values.items() if value and not takes_teachers]


def set_device_and_mode(cfg: CfgNode) -> str:
    """Set the device of MODEL.DEVICE and the mode of MODE, and connect to the other processes.

    With several processes, each gets the device with its own number on its machine; the number in
    MODEL.DEVICE is ignored. On a CPU, this also chooses threads, cores and memory, which MindSpore
    takes once in a process: call functions of ``mindspore.runtime`` that set these before this one.

    Args:
        cfg: the whole configuration.

    Returns:
        "CPU", "GPU" or "Ascend".

    Raises:
        ValueError: the device or mode is unknown or not available, or MindSpore's cache of graphs
            is enabled.
    """
    _refuse_compile_cache()
    if cfg.MODE not in _MODES:
        raise ValueError(f"MODE {cfg.MODE!r} is unknown; it must be one of {sorted(_MODES)}.")
    wanted, _, index = cfg.MODEL.DEVICE.lower().partition(":")
    present = [target for target in ("Ascend", "GPU", "CPU") if ms.hal.is_available(target)]
    if wanted != "auto" and wanted not in _DEVICE_TARGETS:
        raise ValueError(
            f"MODEL.DEVICE {cfg.MODEL.DEVICE!r} is unknown; it must be auto or one of "
            f"{sorted(_DEVICE_TARGETS)}, optionally with an index, such as gpu:0."
        )
    target = present[0] if wanted == "auto" else _DEVICE_TARGETS[wanted]
    if target not in present:
        raise ValueError(
            f"MODEL.DEVICE {cfg.MODEL.DEVICE!r} needs {target}, but MindSpore finds only "
            f"{present} here; set MODEL.DEVICE auto, or see INSTALL.md."
        )
    if index and not index.isdecimal():
        raise ValueError(
            f"MODEL.DEVICE {cfg.MODEL.DEVICE!r}: the colon must be followed by a device number."
        )
    if comm.get_world_size() > 1:
        index = _own_device(target)
    if index and target != "CPU":
        ms.set_device(target, int(index))
    else:
        ms.set_device(target)
    ms.set_context(mode=_MODES[cfg.MODE])
    if target == "CPU":
        reserve_memory()
        set_cpu_threads(cfg)
    comm.join()
    if target == "CPU":
        place_kernels(cfg)
    return target


def _refuse_compile_cache() -> None:
    if os.environ.get("MS_COMPILER_CACHE_ENABLE") == "1":
        raise ValueError(
            "MS_COMPILER_CACHE_ENABLE is 1, but MindSpore's cache of compiled graphs does not "
            "distinguish graphs of different settings, so results could be wrong. Unset it."
        )


def _own_device(target: str) -> str:
    number = comm.get_local_rank()
    count = ms.hal.device_count(target)
    if target != "CPU" and number >= count:
        raise ValueError(
            f"Rank {comm.get_rank()} needs {target} number {number}, but this machine has {count}; "
            "decrease --num-gpus."
        )
    return str(number)


def complete_config(cfg: CfgNode, classes_per_domain: list[int]) -> CfgNode:
    """Write out what the recipe implies, and fill in the number of identities.

    Args:
        cfg: the whole configuration.
        classes_per_domain: number of identities of each training set, in the order of
            DATASETS.NAMES.

    Returns:
        A new frozen configuration; class counts that the given one sets stay as they are.

    Raises:
        ValueError: ACL has a single training set, or the class counts that `cfg` sets are not those
            of the data.
    """
    check_class_counts(cfg, classes_per_domain)
    completed = explicit_config(cfg).clone()
    completed.defrost()
    heads = completed.MODEL.HEADS
    if heads.CLASSIFIERS == "per_domain":
        heads.CLASSES_PER_DOMAIN = list(classes_per_domain)
        logger.info("Classes of the source domains: %s", heads.CLASSES_PER_DOMAIN)
    else:
        heads.NUM_CLASSES = sum(classes_per_domain)
        logger.info("Classes: %d", heads.NUM_CLASSES)
    completed.freeze()
    return completed
