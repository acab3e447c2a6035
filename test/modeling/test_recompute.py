import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from fastreid.config import get_cfg
from fastreid.engine.steps.train_step import GradientStep, LossForward
from fastreid.layers import BatchNorm, held_statistics, sync_batch_norm
from fastreid.modeling import build_model
from fastreid.modeling.recompute import recompute_blocks
from test.small_backbones import TWO_ADAPTIVE_STAGES, TWO_BASIC_STAGES

ADAPTIVE = [
    *TWO_ADAPTIVE_STAGES,
    *("MODEL.HEADS.NAME", "MetaEmbeddingHead", "MODEL.HEADS.CLASSES_PER_DOMAIN", [4, 4]),
    *("MODEL.BACKBONE.WITH_IBN", True),
]
PLAIN = [*TWO_BASIC_STAGES, "MODEL.HEADS.NUM_CLASSES", 8]


def config_of(options, **more):
    cfg = get_cfg()
    cfg.merge_from_list([*options, "MODEL.BACKBONE.PRETRAIN", False])
    for key, value in more.items():
        cfg.merge_from_list([key, value])
    return cfg


def trained_on_one_batch(options, *, recompute, hold=False):
    """Losses, gradients and statistics after one forward and backward pass."""
    ms.set_seed(0)
    model = build_model(config_of(options, **{"MODEL.RECOMPUTE": recompute}))
    forward = LossForward(model, model.criterion())
    step = GradientStep(forward, model.trainable_params()).set_train()
    images = np.random.RandomState(0).uniform(0, 255, (8, 3, 32, 16)).astype(np.float32)
    targets = np.repeat(np.array([0, 1, 4, 5], np.int32), 2)
    inputs = (Tensor(images), Tensor(targets), Tensor(targets // 4))
    if hold:
        with held_statistics(model):
            losses, _, _, gradients = step(*inputs)
    else:
        losses, _, _, gradients = step(*inputs)
    statistics = {p.name: p.asnumpy() for p in model.get_parameters() if "moving" in p.name}
    return losses.asnumpy(), [gradient.asnumpy() for gradient in gradients], statistics


@pytest.mark.slow
@pytest.mark.parametrize("options", [ADAPTIVE, PLAIN], ids=["adaptive", "plain"])
def test_recomputed_blocks_change_no_number(options):
    losses, gradients, statistics = trained_on_one_batch(options, recompute=False)
    again = trained_on_one_batch(options, recompute=True)
    np.testing.assert_allclose(again[0], losses, rtol=1e-6)
    for got, want in zip(again[1], gradients):
        # Threads add up in an order of their own: two runs of one graph differ by 3e-6.
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * np.abs(want).max())
    assert any((statistics[name] != 0).any() for name in statistics if "moving_mean" in name)
    for name, value in statistics.items():
        # Two moves round twice.
        np.testing.assert_allclose(again[2][name], value, rtol=2e-6, atol=1e-6, err_msg=name)


def test_recomputed_blocks_leave_held_statistics_alone():
    _, _, statistics = trained_on_one_batch(ADAPTIVE, recompute=True, hold=True)
    for name, value in statistics.items():
        np.testing.assert_array_equal(value, "variance" in name, err_msg=name)


def test_only_a_recomputed_model_has_recomputed_blocks():
    for recompute in (False, True):
        model = build_model(config_of(PLAIN, **{"MODEL.RECOMPUTE": recompute}))
        momenta = {c.momentum for _, c in model.backbone.cells_and_names() if hasattr(c, "hold")}
        assert (len(momenta) == 2) == recompute


def test_recomputing_norms_over_several_processes_is_refused(monkeypatch):
    monkeypatch.setattr(sync_batch_norm, "get_world_size", lambda: 2)
    for message in ("AllGather", "AllReduce"):
        monkeypatch.setattr(ops, message, ms.nn.Identity)
    sync = {"MODEL.BACKBONE.NORM": "syncBN", "MODEL.RECOMPUTE": True}
    with pytest.raises(ValueError, match="MODEL.RECOMPUTE would send .* NORM 'syncBN' again"):
        build_model(config_of(PLAIN, **sync))


class Blockwise(nn.Cell):
    """A block, a block inside of a block, and a cell that is none."""

    def __init__(self, *, depth):
        super().__init__()
        self.recomputable = depth > 0
        self.norm = BatchNorm(4)
        if depth < 2:
            self.inner = Blockwise(depth=depth + 1)


def test_of_nested_blocks_the_outermost_is_recomputed():
    model = Blockwise(depth=0)
    recompute_blocks(model)
    outside, outer, inner = model.norm, model.inner.norm, model.inner.inner.norm
    assert outside.momentum == BatchNorm(4).momentum
    assert outer.momentum == inner.momentum == pytest.approx(1 - np.sqrt(0.9))


def test_recomputing_a_model_without_blocks_is_refused():
    with pytest.raises(ValueError, match="no cell of this model declares `recomputable = True`"):
        recompute_blocks(nn.SequentialCell(BatchNorm(4)))


def test_recomputing_outside_of_graph_mode_is_refused():
    with pytest.raises(ValueError, match="MODEL.RECOMPUTE needs MODE graph, not pynative"):
        build_model(config_of(PLAIN, **{"MODEL.RECOMPUTE": True, "MODE": "pynative"}))
