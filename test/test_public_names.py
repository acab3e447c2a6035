"""The names that fast-reid's users import are where they look for them."""

import importlib
import re
from pathlib import Path

import pytest

FIDELITY = Path(__file__).parents[1] / "docs" / "fidelity.md"

# Module -> names that fast-reid has too, in the same place.
NAMES = {
    "fastreid.config": ("CfgNode", "configurable", "get_cfg"),
    "fastreid.data": ("CommDataset", "build_reid_test_loader", "build_reid_train_loader"),
    "fastreid.data.build": ("_root", "build_reid_test_loader", "build_reid_train_loader"),
    "fastreid.data.common": ("CommDataset",),
    "fastreid.data.data_utils": ("read_image",),
    "fastreid.data.datasets": (
        "AirportALERT",
        "CAVIARa",
        "CUHK03",
        "DATASET_REGISTRY",
        "DukeMTMC",
        "GRID",
        "LPW",
        "LargeVeRiWild",
        "LargeVehicleID",
        "MSMT17",
        "Market1501",
        "MediumVeRiWild",
        "MediumVehicleID",
        "PKU",
        "PRAI",
        "PRID",
        "PeS3D",
        "SAIVT",
        "SYSU_mm",
        "SenseReID",
        "Shinpuhkan",
        "SmallVeRiWild",
        "SmallVehicleID",
        "Thermalworld",
        "VIPeR",
        "VeRi",
        "VeRiWild",
        "VehicleID",
        "WildTrackCrop",
        "cuhkSYSU",
        "iLIDS",
    ),
    "fastreid.data.datasets.bases": ("ImageDataset",),
    "fastreid.data.samplers": (
        "BalancedIdentitySampler",
        "ImbalancedDatasetSampler",
        "InferenceSampler",
        "NaiveIdentitySampler",
        "SetReWeightSampler",
        "TrainingSampler",
    ),
    "fastreid.data.transforms": ("AugMix", "AutoAugment", "ToTensor", "build_transforms"),
    "fastreid.engine": (
        "CallbackHook",
        "DefaultPredictor",
        "DefaultTrainer",
        "EvalHook",
        "HookBase",
        "IterationTimer",
        "LRScheduler",
        "PeriodicCheckpointer",
        "PeriodicWriter",
        "SimpleTrainer",
        "TrainerBase",
        "default_argument_parser",
        "default_setup",
        "hooks",
        "launch",
    ),
    "fastreid.engine.defaults": (
        "DefaultPredictor",
        "DefaultTrainer",
        "TrainerBase",
        "default_argument_parser",
        "default_setup",
    ),
    "fastreid.engine.hooks": (
        "CallbackHook",
        "EvalHook",
        "IterationTimer",
        "LRScheduler",
        "PeriodicCheckpointer",
        "PeriodicWriter",
        "PreciseBN",
        "flatten_results_dict",
    ),
    "fastreid.engine.launch": ("launch",),
    "fastreid.engine.train_loop": ("HookBase", "SimpleTrainer", "TrainerBase"),
    "fastreid.evaluation": (
        "DatasetEvaluator",
        "ReidEvaluator",
        "evaluate_rank",
        "inference_context",
        "inference_on_dataset",
        "print_csv_format",
    ),
    "fastreid.evaluation.evaluator": (
        "DatasetEvaluator",
        "inference_context",
        "inference_on_dataset",
    ),
    "fastreid.evaluation.query_expansion": ("aqe",),
    "fastreid.evaluation.rank": ("evaluate_rank",),
    "fastreid.evaluation.reid_evaluation": ("ReidEvaluator",),
    "fastreid.evaluation.rerank": ("re_ranking",),
    "fastreid.evaluation.roc": ("evaluate_roc",),
    "fastreid.evaluation.testing": ("flatten_results_dict", "print_csv_format"),
    "fastreid.layers": (
        "IBN",
        "AdaptiveAvgMaxPool",
        "ArcSoftmax",
        "BatchNorm",
        "CircleSoftmax",
        "CosSoftmax",
        "GeneralizedMeanPooling",
        "GeneralizedMeanPoolingP",
        "GlobalAvgPool",
        "GlobalMaxPool",
        "Linear",
        "Non_local",
        "SELayer",
        "any_softmax",
        "get_norm",
    ),
    "fastreid.modeling": (
        "BACKBONE_REGISTRY",
        "META_ARCH_REGISTRY",
        "REID_HEADS_REGISTRY",
        "build_backbone",
        "build_heads",
        "build_model",
    ),
    "fastreid.modeling.backbones": (
        "BACKBONE_REGISTRY",
        "build_backbone",
        "build_meta_dynamic_router_resnet_backbone",
        "build_repvgg_backbone",
        "build_resnet_backbone",
        "build_shufflenetv2_backbone",
        "build_vit_backbone",
    ),
    "fastreid.modeling.backbones.vision_transformer": ("VisionTransformer", "build_vit_backbone"),
    "fastreid.modeling.backbones.build": ("BACKBONE_REGISTRY", "build_backbone"),
    "fastreid.modeling.backbones.repvgg": ("RepVGG", "build_repvgg_backbone"),
    "fastreid.modeling.backbones.resnet": ("build_resnet_backbone",),
    "fastreid.modeling.backbones.shufflenet": ("ShuffleNetV2", "build_shufflenetv2_backbone"),
    "fastreid.modeling.heads": (
        "EmbeddingHead",
        "MetaEmbeddingHead",
        "REID_HEADS_REGISTRY",
        "build_heads",
    ),
    "fastreid.modeling.heads.build": ("REID_HEADS_REGISTRY", "build_heads"),
    "fastreid.modeling.losses": (
        "cross_entropy_loss",
        "focal_loss",
        "pairwise_circleloss",
        "pairwise_cosface",
        "triplet_loss",
    ),
    "fastreid.modeling.meta_arch": ("META_ARCH_REGISTRY", "MGN", "Baseline", "build_model"),
    "fastreid.modeling.meta_arch.baseline": ("Baseline",),
    "fastreid.modeling.meta_arch.mgn": ("MGN",),
    "fastreid.modeling.meta_arch.build": ("META_ARCH_REGISTRY", "build_model"),
    "fastreid.modeling.ops": (
        "MetaBNNorm",
        "MetaConv2d",
        "MetaGate",
        "MetaIBNNorm",
        "MetaINNorm",
        "MetaLinear",
        "MetaParam",
    ),
    "fastreid.solver": ("build_lr_scheduler", "build_optimizer"),
    "fastreid.utils.checkpoint": ("Checkpointer", "PathManager", "PeriodicCheckpointer"),
    "fastreid.utils.collect_env": ("collect_env_info",),
    "fastreid.utils.comm": (
        "all_gather",
        "get_local_rank",
        "get_local_size",
        "get_rank",
        "get_world_size",
        "is_main_process",
        "reduce_dict",
        "shared_random_seed",
        "synchronize",
    ),
    "fastreid.utils.compute_dist": (
        "build_dist",
        "compute_cosine_distance",
        "compute_euclidean_distance",
    ),
    "fastreid.utils.env": ("seed_all_rng",),
    "fastreid.utils.events": (
        "CommonMetricPrinter",
        "EventStorage",
        "EventWriter",
        "JSONWriter",
        "TensorboardXWriter",
        "get_event_storage",
    ),
    "fastreid.utils.file_io": ("PathManager", "get_cache_dir"),
    "fastreid.utils.history_buffer": ("HistoryBuffer",),
    "fastreid.utils.logger": (
        "log_every_n",
        "log_every_n_seconds",
        "log_first_n",
        "setup_logger",
    ),
    "fastreid.utils.precision_bn": ("get_bn_modules", "update_bn_stats"),
    "fastreid.utils.registry": ("Registry",),
    "fastreid.utils.timer": ("Timer",),
    "fastreid.utils.visualizer": ("Visualizer",),
}
PACKAGES = sorted({".".join(module.split(".")[:2]) for module in NAMES} - {"fastreid.utils"})


@pytest.mark.parametrize("module", NAMES)
def test_fast_reids_names_are_importable(module):
    imported = importlib.import_module(module)
    assert [name for name in NAMES[module] if not hasattr(imported, name)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_exists_once(package):
    imported = importlib.import_module(package)
    assert len(imported.__all__) == len(set(imported.__all__))
    assert [name for name in imported.__all__ if not hasattr(imported, name)] == []


def has(name):
    """Whether a dotted name is a module, or a name in one."""
    try:
        importlib.import_module(name)
    except ImportError:
        module, _, attribute = name.rpartition(".")
        return hasattr(importlib.import_module(module), attribute)
    return True


def test_names_that_the_documents_call_absent_are_absent():
    section = FIDELITY.read_text(encoding="utf-8").split("## Names that are not available")[1]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    names = [name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)]
    assert len(names) > 20
    assert [name for name in names if has(f"fastreid.{name}")] == []
