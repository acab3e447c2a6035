"""Small models whose maps are explained, and pictures of persons.

Importing this registers a small vision transformer and a histogram of colours.
"""

import itertools
from dataclasses import replace

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from fastreid.engine import DefaultPredictor
from fastreid.modeling import BACKBONE_REGISTRY
from fastreid.modeling.backbones.vision_transformer.network import VisionTransformer, ViTSpec
from test.export.models import saved_model
from test.small_backbones import ONE_ADAPTIVE_STAGE, ONE_BOTTLENECK_STAGE, TWO_CONVOLUTIONS
from tools.demo_data.drawing.domain import MARKET, draw_cameras
from tools.demo_data.drawing.identity import Pattern, draw_identity
from tools.demo_data.drawing.render import Renderer

SIZE = (64, 32)
# Levels of red, green and blue of the colours that the histogram counts.
LEVELS = (-1.5, -0.5, 0.5, 1.5)
BNNECK = ("MODEL.HEADS.WITH_BNNECK", "True")
CONVOLUTIONS = (*TWO_CONVOLUTIONS, *BNNECK)
HISTOGRAM = ("MODEL.BACKBONE.NAME", "build_colour_histogram", "MODEL.BACKBONE.FEAT_DIM", "64")
RESNET_IBN = (*ONE_BOTTLENECK_STAGE, *BNNECK, "MODEL.BACKBONE.WITH_IBN", "True")
ACL = (*ONE_ADAPTIVE_STAGE, *BNNECK, "MODEL.BACKBONE.WITH_IBN", "True")
ACL = (*ACL, "MODEL.HEADS.NAME", "MetaEmbeddingHead", "MODEL.HEADS.POOL_LAYER")
ACL = (*ACL, "GeneralizedMeanPooling")
TRANSFORMER = ("MODEL.BACKBONE.NAME", "build_small_transformer", "MODEL.BACKBONE.FEAT_DIM", "16")
TRANSFORMER = (*TRANSFORMER, *BNNECK, "MODEL.HEADS.POOL_LAYER", "Identity")


@BACKBONE_REGISTRY.register()
def build_small_transformer(cfg):
    spec = ViTSpec(2, 2, 2.0, qkv_bias=True, scale=None, width=16)
    return VisionTransformer(spec, image_size=tuple(cfg.INPUT.SIZE_TEST))


class ColourHistogram(nn.Cell):
    """The share of each of 64 colours in blocks of 4x4 pixels, without trained parameters.

    The mean of its map is an image's histogram of colours, so what persons wear decides cosines.
    """

    gives_paths = False

    def __init__(self):
        super().__init__()
        colours = np.array(list(itertools.product(LEVELS, repeat=3)), np.float32)
        self.colours = Tensor(colours.reshape(1, -1, 3, 1, 1))
        self.mean = nn.AvgPool2d(4, 4)

    def construct(self, x):
        differences = ops.expand_dims(x, 1) - self.colours
        return self.mean(ops.exp(-2 * (differences * differences).sum(2)))


@BACKBONE_REGISTRY.register()
def build_colour_histogram(cfg):  # noqa: ARG001 - the registry's form
    return ColourHistogram()


def predictor_of(folder, *words, size=SIZE, **options):
    """A predictor of a model with random weights and statistics, always the same."""
    ms.set_seed(1)
    return DefaultPredictor(saved_model(folder, *words, size=size, **options))


def features_of(predictor, *images):
    """(N, D) float64, computed by the whole model."""
    batch = np.concatenate([predictor.prepare(image) for image in images])
    return predictor(batch).astype(np.float64)


def cosine_of(first, second):
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def person(seed, **changes):
    """A picture (128, 64, 3) of a drawn person; the seed decides all but the changes."""
    rng = np.random.default_rng(seed)
    cameras = draw_cameras(replace(MARKET, noise=(0.0, 0.0), occluded=0.0), rng)
    renderer = Renderer(replace(MARKET, occluded=0.0), cameras)
    someone = replace(draw_identity(rng), pattern=Pattern.PLAIN, **changes)
    return renderer.picture(someone, 0, rng)
