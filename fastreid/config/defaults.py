"""Every configuration key, with its default, meaning, unit and allowed values.

Keys and defaults are those of fast-reid and ACL-DGReID. Keys that they do not have are marked
(new).
"""

from __future__ import annotations

from .cfg_node import CfgNode as CN

_IMAGENET_MEAN = [0.485 * 255, 0.456 * 255, 0.406 * 255]
_IMAGENET_STD = [0.229 * 255, 0.224 * 255, 0.225 * 255]


def defaults() -> CN:
    """Build the default configuration, not frozen."""
    cfg = CN()
    # (new) User code to import before anything is built: importable names, and .py files relative
    # to the config file that names them (on the command line: to the working directory). See
    # docs/own_code.md.
    cfg.MODULES = []
    # (new) Seed of all random numbers (weights, sampling, augmentation), 0 to 4294967295.
    cfg.SEED = 0
    # (new) "graph" compiles each training step; "pynative" runs it eagerly, for debugging.
    cfg.MODE = "graph"
    # (new) On a CPU. 0: each kernel uses all cores or, beside busy programs, a part of them; 1:
    # always all cores; 2 or more: so many threads start kernels, each of which uses one core
    # (docs/performance.md).
    cfg.DISPATCH_THREADS = 0
    # Folder of logs, checkpoints, results and pictures.
    cfg.OUTPUT_DIR = "logs/"
    # Accepted for compatibility, without effect.
    cfg.CUDNN_BENCHMARK = False
    cfg.MODEL = _model()
    cfg.KD = _distillation()
    cfg.INPUT = _input()
    cfg.DATASETS = _datasets()
    cfg.DATALOADER = _dataloader()
    cfg.SOLVER = _solver()
    cfg.TEST = _test()
    return cfg


def _model() -> CN:
    model = CN()
    # "auto" (Ascend, else GPU, else CPU), "cpu", "gpu" or "cuda[:n]", "ascend" or "npu[:n]".
    model.DEVICE = "auto"
    # "Baseline", "ACL", "MGN", "MoCo", "Distiller" or "DistillerOverhaul". "Baseline" with
    # HEADS.NAME "MetaEmbeddingHead" becomes "ACL", as in the original's files
    # (config/acl_recipe.py).
    model.META_ARCHITECTURE = "Baseline"
    # What is frozen for the first SOLVER.FREEZE_ITERS iterations: parts of the model ("backbone"),
    # whose norms also stay in evaluation mode, and regular expressions that match from the
    # beginning of PyTorch's parameter names ("backbone.layer[12]").
    model.FREEZE_LAYERS = []
    # MoCo: number of features in its queue, at least SOLVER.IMS_PER_BATCH.
    model.QUEUE_SIZE = 8192
    # (new) Recompute the activations of residual blocks in the backward pass: less memory, more
    # time, the same numbers. Needs MODE "graph".
    model.RECOMPUTE = False
    # Weights to start from or to evaluate: a PyTorch, MindSpore or safetensors file; FILE::KEY
    # selects one of several sets of weights in it.
    model.WEIGHTS = ""
    # Mean and standard deviation of the three channels, RGB, in 0..255.
    model.PIXEL_MEAN = list(_IMAGENET_MEAN)
    model.PIXEL_STD = list(_IMAGENET_STD)

    backbone = model.BACKBONE = CN()
    # "build_resnet_backbone" or "build_meta_dynamic_router_resnet_backbone" (ACL).
    backbone.NAME = "build_resnet_backbone"
    # "18x", "34x", "50x", "101x"; (new) "tiny", a few narrow blocks for tests and demonstrations.
    backbone.DEPTH = "50x"
    # Stride of the last stage: 1 (re-ID) or 2 (classification).
    backbone.LAST_STRIDE = 1
    # Channels that the backbone returns: 2048 for 50x and 101x, 512 for 18x, 34x and tiny.
    backbone.FEAT_DIM = 2048
    # Norms: "BN"; "syncBN" with statistics over all processes; "FrozenBN", never trained; "GN".
    backbone.NORM = "BN"
    # Instance-batch norm (IBN-a), squeeze-and-excitation, non-local blocks.
    backbone.WITH_IBN = False
    backbone.WITH_SE = False
    backbone.WITH_NL = False
    # (new) RepVGG in its fused form, one convolution a block, for evaluation (docs/weights.md).
    backbone.DEPLOY = False
    # Vision transformers: distances of patches in pixels (y, x); probabilities of dropping branches
    # for an image, elements of tokens, weights of the attention. SIE_COE has no effect.
    backbone.SIE_COE = 3.0
    backbone.STRIDE_SIZE = (16, 16)
    backbone.DROP_PATH_RATIO = 0.1
    backbone.DROP_RATIO = 0.0
    backbone.ATT_DROP_RATE = 0.0
    # Start from ImageNet weights: the file PRETRAIN_PATH, or the published one in the folder
    # PRETRAIN_PATH or in a cache folder (docs/fastreid_names.md).
    backbone.PRETRAIN = False
    backbone.PRETRAIN_PATH = ""

    heads = model.HEADS = CN()
    # "EmbeddingHead", "ClasHead" (classification) or "MetaEmbeddingHead" (ACL).
    heads.NAME = "EmbeddingHead"
    # Norm of the neck, as in the backbone.
    heads.NORM = "BN"
    # Number of identities; 0: taken from the training sets.
    heads.NUM_CLASSES = 0
    heads.NUM_CLASSES1 = 0
    heads.NUM_CLASSES2 = 0
    heads.NUM_CLASSES3 = 0
    # (new) ACL: identities of each source domain, any number of domains; takes precedence over
    # NUM_CLASSES1..3.
    heads.CLASSES_PER_DOMAIN = []
    # (new) Which counts the training sets fill in: "joint" (NUM_CLASSES, all sets together),
    # "per_domain" (CLASSES_PER_DOMAIN) or "auto" ("per_domain" for ACL).
    heads.CLASSIFIERS = "auto"
    # Width of the embedding; 0: that of the backbone.
    heads.EMBEDDING_DIM = 0
    # A batch norm, whose shift is not trained, before the classifier.
    heads.WITH_BNNECK = False
    # Feature that the metric losses use: "before" or "after" the neck.
    heads.NECK_FEAT = "before"
    # "GlobalAvgPool", "GeneralizedMeanPooling", ... (fastreid/layers/pooling.py).
    heads.POOL_LAYER = "GlobalAvgPool"
    # "Linear", "ArcSoftmax", "CosSoftmax" or "CircleSoftmax", with its margin and scale.
    heads.CLS_LAYER = "Linear"
    heads.MARGIN = 0.0
    heads.SCALE = 1

    losses = model.LOSSES = CN()
    # Any of "CrossEntropyLoss", "TripletLoss", "CircleLoss", "Cosface".
    losses.NAME = ("CrossEntropyLoss",)
    # Cross entropy: label smoothing (negative: adaptive, ALPHA times the true class's probability).
    losses.CE = CN({"EPSILON": 0.0, "ALPHA": 0.2, "SCALE": 1.0})
    # Focal loss: accepted for compatibility, without effect, since NAME has no such loss.
    losses.FL = CN({"ALPHA": 0.25, "GAMMA": 2, "SCALE": 1.0})
    # Triplet loss: margin (0: soft margin), distance 2 - 2 cos instead of euclidean, batch-hard
    # mining.
    losses.TRI = CN({"MARGIN": 0.3, "NORM_FEAT": False, "HARD_MINING": False, "SCALE": 1.0})
    # Circle loss and CosFace on pairs of images: margin and scale of similarities.
    losses.CIRCLE = CN({"MARGIN": 0.25, "GAMMA": 128, "SCALE": 1.0})
    losses.COSFACE = CN({"MARGIN": 0.25, "GAMMA": 128, "SCALE": 1.0})
    return model


def _distillation() -> CN:
    # Knowledge distillation: MODEL.META_ARCHITECTURE "Distiller" or "DistillerOverhaul".
    kd = CN()
    # For each teacher the configuration that it was trained with, and its weights.
    kd.MODEL_CONFIG = []
    kd.MODEL_WEIGHTS = []
    # A further teacher, a moving average of the student: share of the old average in the new one.
    kd.EMA = CN({"ENABLED": False, "MOMENTUM": 0.999})
    return kd


def _input() -> CN:
    inputs = CN()
    # Height and width in pixels. One number is the length of the shorter side, and [0] does not
    # resize; in training both leave the size to CROP.
    inputs.SIZE_TRAIN = [256, 128]
    inputs.SIZE_TEST = [256, 128]
    # Random resized crop, in tests the centre: size in pixels (one number: a square), ranges of the
    # fraction of the area and of width / height.
    inputs.CROP = CN(
        {"ENABLED": False, "SIZE": [224, 224], "SCALE": [0.16, 1], "RATIO": [3.0 / 4.0, 4.0 / 3.0]}
    )
    # Mirror images. All probabilities (PROB) are in 0..1.
    inputs.FLIP = CN({"ENABLED": False, "PROB": 0.5})
    # Pad by SIZE pixels on each side, then crop at random.
    inputs.PADDING = CN({"ENABLED": False, "MODE": "constant", "SIZE": 10})
    # Color jitter. ACL sets ENABLED to True, as the original does; PROB 0 turns it off.
    inputs.CJ = CN(
        {
            "ENABLED": False,
            "PROB": 0.5,
            "BRIGHTNESS": 0.15,
            "CONTRAST": 0.15,
            "SATURATION": 0.1,
            "HUE": 0.1,
        }
    )
    # Random affine map, AugMix and random patch (RPT below). ACL sets ENABLED to False.
    inputs.AFFINE = CN({"ENABLED": False})
    inputs.AUTOAUG = CN({"ENABLED": False, "PROB": 0.0})
    inputs.AUGMIX = CN({"ENABLED": False, "PROB": 0.0})
    # Random erasing; VALUE is the fill colour, RGB in 0..255.
    inputs.REA = CN({"ENABLED": False, "PROB": 0.5, "VALUE": list(_IMAGENET_MEAN)})
    # Random patch: patches of other images of the batch.
    inputs.RPT = CN({"ENABLED": False, "PROB": 0.5})
    # (new) User transforms by registered name, applied in this order to the RGB image: in training
    # after those above and before erasing, in test after resizing.
    inputs.TRANSFORMS_TRAIN = []
    inputs.TRANSFORMS_TEST = []
    return inputs


def _datasets() -> CN:
    datasets = CN()
    # Training sets (ACL: the source domains, in this order) and test sets by registered name:
    # "Market1501", "MSMT17", "CUHK03", "cuhkSYSU", "ImageList" or a user's. Their files are under
    # $FASTREID_DATASETS.
    datasets.NAMES = ("Market1501",)
    datasets.TESTS = ("Market1501",)
    # Also train on query and gallery (Protocol 3).
    datasets.COMBINEALL = False
    # (new) ImageList: a CSV file with the columns path, pid, camid and split, or a folder with
    # train, query and gallery; relative to the working directory or to $FASTREID_DATASETS.
    datasets.IMAGE_LIST = ""
    # (new) Number of the split, from 0, of data sets with several: PRID, GRID and iLIDS have 10,
    # VIPeR 20, VehicleID 10 draws of the gallery, CUHK03's classic protocol 20. -1: PRID, GRID,
    # iLIDS and VIPeR are for training only, on all images, as in fast-reid.
    datasets.SPLIT = 0
    # (new) Market1501: the 500,000 distractors of Market-1501+500k are in the gallery too.
    datasets.MARKET1501_500K = False
    # (new) CUHK03: labelled or detected boxes; classic (20 splits) or new (767/700) protocol.
    datasets.CUHK03 = CN({"LABELED": True, "CLASSIC_SPLIT": False})
    return datasets


def _dataloader() -> CN:
    loader = CN()
    # "TrainingSampler", "NaiveIdentitySampler", "BalancedIdentitySampler", "SetReWeightSampler"
    # or "ImbalancedDatasetSampler", or a user's.
    loader.SAMPLER_TRAIN = "TrainingSampler"
    # Images per identity in a batch.
    loader.NUM_INSTANCE = 4
    # Worker processes, shared by all loaders of a process; 0: images are read in the main process.
    loader.NUM_WORKERS = 8
    # (new) Unreadable training images: "raise" ends the run with an error; "skip" logs them and
    # uses the next image of the same identity. In evaluation they always end the run.
    loader.ON_ERROR = "raise"
    # Identities per camera in a batch, for SetReWeightSampler.
    loader.SET_WEIGHT = []
    return loader


def _solver() -> CN:
    solver = CN()
    # Mixed precision: convolutions in float16, with loss scaling. Ignored on CPU, with a warning.
    solver.AMP = CN({"ENABLED": False})
    # "SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adamax", "NAdam" or "RAdam", with the constants
    # of torch.optim, or "Lamb".
    solver.OPT = "Adam"
    # Images per basic step over all devices; each ACL domain loader gives half as many.
    solver.IMS_PER_BATCH = 64
    # (new) Parts of a batch whose gradients are computed one after the other and averaged: less
    # memory. Batch norms and metric losses see one part at a time. Not for ACL's meta steps.
    solver.ACCUMULATE = 1
    # Epochs of the training; an epoch has as many images as the training sets.
    solver.MAX_EPOCH = 120
    # (new) Stop after this many iterations without changing the schedule; 0: run to MAX_EPOCH.
    solver.STOP_ITERS = 0
    # (new) Iterations between log lines; losses are read from the device only then.
    solver.LOG_PERIOD = 20
    # Epochs between checkpoints that are kept; 0: only the best and the last are kept.
    solver.CHECKPOINT_PERIOD = 20
    # (new) Iterations between checkpoints within an epoch; 0: only at the end of each epoch.
    solver.CHECKPOINT_PERIOD_ITERS = 0

    # Learning rate after the warm-up.
    solver.BASE_LR = 3e-4
    # Factors on BASE_LR for the head and for biases.
    solver.HEADS_LR_FACTOR = 1.0
    solver.BIAS_LR_FACTOR = 1.0
    # SGD only.
    solver.MOMENTUM = 0.9
    solver.NESTEROV = False
    # Decay of weights, of norm scales, and of biases (independent of WEIGHT_DECAY).
    solver.WEIGHT_DECAY = 0.0005
    solver.WEIGHT_DECAY_NORM = 0.0005
    solver.WEIGHT_DECAY_BIAS = 0.0005

    # (new) Moving average of weights and running statistics, MOMENTUM times the old average at each
    # iteration: evaluation uses it, and checkpoints hold it as the model's weights.
    solver.EMA = CN({"ENABLED": False, "MOMENTUM": 0.999})

    # "MultiStepLR" (times GAMMA at the epochs STEPS) or "CosineAnnealingLR" (down to ETA_MIN_LR).
    solver.SCHED = "MultiStepLR"
    solver.STEPS = [30, 55]
    # (new) STEPS count epochs from the "start" of the training or from the end of the "warmup";
    # "auto": "start" for ACL, else "warmup".
    solver.STEPS_FROM = "auto"
    # Factor of the rate at STEPS, and the rate at the end of the cosine.
    solver.GAMMA = 0.1
    solver.ETA_MIN_LR = 1e-7
    # Epochs before the schedule starts.
    solver.DELAY_EPOCHS = 0
    # Warm-up from WARMUP_FACTOR * BASE_LR: "linear", "constant" or "exp".
    solver.WARMUP_FACTOR = 0.1
    solver.WARMUP_ITERS = 1000
    solver.WARMUP_METHOD = "linear"
    # (new) Unit of WARMUP_ITERS: "iteration", "epoch" or "auto" ("epoch" for ACL).
    solver.WARMUP_UNIT = "auto"
    # (new) Length of the warm-up in epochs; -1: unset, WARMUP_ITERS decides.
    solver.WARMUP_EPOCHS = -1
    # Iterations for which MODEL.FREEZE_LAYERS are frozen.
    solver.FREEZE_ITERS = 0
    # Gradient clipping by "norm" (of each parameter, order NORM_TYPE) or "value".
    solver.CLIP_GRADIENTS = CN(
        {"ENABLED": False, "CLIP_TYPE": "norm", "CLIP_VALUE": 5.0, "NORM_TYPE": 2.0}
    )
    # (new) ACL: iterations from one meta step to the next (0: none; always 0 for other models),
    # basic steps in the first iteration, and factor on the inner rate of the adaptors' parameters.
    solver.META = CN({"PERIOD": 3, "FIRST_BASIC_STEPS": 10, "ADAPTOR_LR_FACTOR": 0.5})
    # (new) ACL on several devices: how a meta-train batch is split. "contiguous": the batches of
    # all domains are concatenated and cut into one part per device, as in the original, so a device
    # may get a single domain; "mixed": each device gets an equal part of every domain.
    solver.META_SHARD = "contiguous"
    return solver


def _test() -> CN:
    test = CN()
    # Epochs between evaluations; 0: only at the end.
    test.EVAL_PERIOD = 20
    # Images per forward pass of one device.
    test.IMS_PER_BATCH = 64
    # "cosine" or "euclidean" (squared).
    test.METRIC = "cosine"
    # (new) Draw training curves, CMC curves and rank lists into OUTPUT_DIR at the end.
    test.PLOTS = True
    # (new) Classic CUHK03 metric: CMC over 10 random galleries of one image per identity.
    test.SINGLE_GALLERY_SHOT = CN({"ENABLED": False, "SEED": 0})
    # True positive rates at fixed false positive rates.
    test.ROC = CN({"ENABLED": False})
    # Average the features of an image and of its mirror image.
    test.FLIP = CN({"ENABLED": False})
    # Query expansion: QE_TIME rounds, mean over the QE_K nearest, weighted by similarity^ALPHA.
    test.AQE = CN({"ENABLED": False, "ALPHA": 3.0, "QE_TIME": 1, "QE_K": 5})
    # k-reciprocal re-ranking (Zhong et al., CVPR 2017).
    test.RERANK = CN({"ENABLED": False, "K1": 20, "K2": 6, "LAMBDA": 0.3})
    # Running statistics as means over NUM_ITER batches of the training set DATASET, computed after
    # the last epoch.
    test.PRECISE_BN = CN({"ENABLED": False, "DATASET": "Market1501", "NUM_ITER": 300})
    return test
