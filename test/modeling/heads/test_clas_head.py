import numpy as np
import pytest
from mindspore import Tensor, ops

from fastreid.config import get_cfg
from fastreid.modeling import build_model, unused_in_evaluation
from fastreid.modeling.heads import ClasHead, EmbeddingHead, build_heads
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint.names import export_weights
from fastreid.utils.checkpoint.weights_file import write_weights
from test.small_backbones import TWO_CONVOLUTIONS

TARGETS = np.array([0, 2, 1, 4], np.int32)


def config(*words):
    cfg = get_cfg()
    cfg.merge_from_list(
        [*TWO_CONVOLUTIONS, "MODEL.HEADS.NAME", "ClasHead", "MODEL.HEADS.NUM_CLASSES", "5", *words]
    )
    return cfg


def filled(head, seed=0):
    rng = np.random.RandomState(seed)
    for parameter in head.get_parameters():
        ops.assign(parameter, Tensor(rng.uniform(0.5, 1.5, parameter.shape).astype(np.float32)))
    return head


@pytest.fixture
def maps():
    return Tensor(np.random.RandomState(0).randn(4, 16, 3, 2).astype(np.float32))


@pytest.mark.parametrize("cls_layer", ["Linear", "CosSoftmax", "ArcSoftmax", "CircleSoftmax"])
def test_evaluation_gives_scaled_logits_without_a_margin(mode, maps, cls_layer):
    words = (
        "MODEL.HEADS.CLS_LAYER",
        cls_layer,
        "MODEL.HEADS.SCALE",
        "8",
        "MODEL.HEADS.MARGIN",
        "0.3",
    )
    head = filled(build_heads(config("MODEL.HEADS.WITH_BNNECK", "True", *words)))
    assert isinstance(head, ClasHead)
    state = export_weights(head)
    norm = {
        leaf: state[f"bottleneck.0.{leaf}"]
        for leaf in ("weight", "bias", "running_mean", "running_var")
    }
    neck = maps.asnumpy().mean((2, 3)) - norm["running_mean"]
    neck = neck / np.sqrt(norm["running_var"] + 1e-5) * norm["weight"] + norm["bias"]
    weight = state["weight"]
    if cls_layer != "Linear":
        neck = neck / np.linalg.norm(neck, axis=1, keepdims=True)
        weight = weight / np.linalg.norm(weight, axis=1, keepdims=True)
    logits = head.set_train(False)(maps).asnumpy()
    np.testing.assert_allclose(logits, 8 * neck @ weight.T, rtol=1e-4, atol=1e-4)


def test_training_is_that_of_an_embedding_head_with_the_feature_after_the_neck(maps):
    words = ("MODEL.HEADS.WITH_BNNECK", "True", "MODEL.HEADS.CLS_LAYER", "CosSoftmax")
    cfg = config(*words, "MODEL.HEADS.NECK_FEAT", "before")
    head = filled(build_heads(cfg)).set_train()
    cfg.merge_from_list(["MODEL.HEADS.NAME", "EmbeddingHead", "MODEL.HEADS.NECK_FEAT", "after"])
    other = filled(build_heads(cfg)).set_train()
    assert type(other) is EmbeddingHead
    ours, theirs = (each(maps, Tensor(TARGETS)) for each in (head, other))
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name].asnumpy(), value.asnumpy(), name)


def test_a_head_without_classes_is_refused():
    with pytest.raises(ValueError, match=r"NUM_CLASSES is 0, but ClasHead evaluates by its class"):
        build_heads(config("MODEL.HEADS.NUM_CLASSES", "0"))


def test_an_evaluation_needs_the_classifier_of_this_head_only(tmp_path):
    model = build_model(config())
    weights = export_weights(model)
    del weights["heads.weight"]
    write_weights(tmp_path / "weights.pth", weights)
    with pytest.raises(ValueError, match=r"1 missing: heads.weight"):
        Checkpointer(model).load(tmp_path / "weights.pth", ignore=unused_in_evaluation(model))
    other = build_model(config("MODEL.HEADS.NAME", "EmbeddingHead"))
    Checkpointer(other).load(tmp_path / "weights.pth", ignore=unused_in_evaluation(other))
