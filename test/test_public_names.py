"""The names that fast-reid's users import are where they look for them."""

import importlib

import pytest

# Module -> names that fast-reid has too, in the same place.
NAMES = {
    "fastreid.config": ("CfgNode", "configurable", "get_cfg"),
    "fastreid.data": ("CommDataset", "build_reid_test_loader", "build_reid_train_loader"),
    "fastreid.data.data_utils": ("read_image",),
    "fastreid.data.datasets": ("DATASET_REGISTRY", "CUHK03", "MSMT17", "Market1501", "cuhkSYSU"),
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
        "DefaultTrainer",
        "HookBase",
        "SimpleTrainer",
        "TrainerBase",
        "default_argument_parser",
        "default_setup",
        "hooks",
        "launch",
    ),
    "fastreid.engine.hooks": ("EvalHook", "IterationTimer", "LRScheduler", "PeriodicWriter"),
    "fastreid.evaluation": (
        "DatasetEvaluator",
        "ReidEvaluator",
        "inference_context",
        "inference_on_dataset",
        "print_csv_format",
    ),
    "fastreid.evaluation.query_expansion": ("aqe",),
    "fastreid.evaluation.rank": ("evaluate_rank",),
    "fastreid.evaluation.rerank": ("re_ranking",),
    "fastreid.evaluation.roc": ("evaluate_roc",),
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
        "build_meta_dynamic_router_resnet_backbone",
        "build_resnet_backbone",
    ),
    "fastreid.modeling.heads": ("EmbeddingHead", "MetaEmbeddingHead"),
    "fastreid.modeling.losses": (
        "cross_entropy_loss",
        "focal_loss",
        "pairwise_circleloss",
        "pairwise_cosface",
        "triplet_loss",
    ),
    "fastreid.modeling.meta_arch": ("Baseline",),
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
    "fastreid.utils.checkpoint": ("Checkpointer", "PeriodicCheckpointer"),
    "fastreid.utils.collect_env": ("collect_env_info",),
    "fastreid.utils.comm": (
        "all_gather",
        "get_local_rank",
        "get_rank",
        "get_world_size",
        "is_main_process",
        "synchronize",
    ),
    "fastreid.utils.compute_dist": ("build_dist",),
    "fastreid.utils.env": ("seed_all_rng",),
    "fastreid.utils.events": (
        "CommonMetricPrinter",
        "EventStorage",
        "EventWriter",
        "JSONWriter",
        "TensorboardXWriter",
        "get_event_storage",
    ),
    "fastreid.utils.history_buffer": ("HistoryBuffer",),
    "fastreid.utils.logger": ("setup_logger",),
    "fastreid.utils.registry": ("Registry",),
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
