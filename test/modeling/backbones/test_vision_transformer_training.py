"""Vision transformers in training: dropped branches, half precision, recomputation."""

import mindspore as ms
import numpy as np
import pytest

from fastreid.engine.build import build_trainer
from fastreid.engine.steps.loss_scale import LossScale
from fastreid.engine.steps.train_step import GradientStep, LossForward
from fastreid.modeling import build_model, use_half_precision
from fastreid.modeling.backbones.vision_transformer import ViTSpec
from fastreid.modeling.backbones.vision_transformer import stochastic_depth as depth_module
from fastreid.modeling.backbones.vision_transformer.blocks import TokenLinear
from fastreid.modeling.backbones.vision_transformer.network import SPECS
from fastreid.modeling.backbones.vision_transformer.stochastic_depth import StochasticDepth
from fastreid.utils.checkpoint.names import export_weights
from test.alignment.against_torch import ours, projection
from test.modeling.backbones.families import backbone_cfg

WORDS = "MODEL.BACKBONE.NAME build_vit_backbone MODEL.BACKBONE.DEPTH narrow"
SIZE, ROWS = (64, 32), 8


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """A depth that compiles in a second."""
    spec = ViTSpec(3, 4, 2.0, qkv_bias=True, scale=None, width=32)
    monkeypatch.setitem(SPECS, "narrow", spec)


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


def cfg_of(**options):
    """A whole config, with options of MODEL.BACKBONE."""
    cfg = backbone_cfg(WORDS, FEAT_DIM=32, **options)
    cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = list(SIZE)
    cfg.MODEL.HEADS.POOL_LAYER, cfg.MODEL.HEADS.NUM_CLASSES = "Identity", 4
    cfg.MODEL.LOSSES.NAME = ("CrossEntropyLoss", "TripletLoss")
    cfg.SOLVER.OPT, cfg.SOLVER.MOMENTUM = "SGD", 0.0
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.LOG_PERIOD = ROWS, 1
    cfg.SOLVER.BASE_LR, cfg.SOLVER.WARMUP_ITERS = 0.05, 0
    return cfg


def batch_of(seed=0):
    rng = np.random.RandomState(seed)
    return {
        "images": rng.randint(0, 256, (ROWS, 3, *SIZE)).astype(np.float32),
        "targets": np.repeat(np.arange(4), 2).astype(np.int32),
        "camids": np.zeros(ROWS, np.int32),
        "domainids": np.zeros(ROWS, np.int32),
        "img_paths": np.array([f"{i}.jpg" for i in range(ROWS)]),
    }


def drawn(rates, *, seed=0, rows=64, passes=1, first=0):
    """(passes, branches, rows): the factors of consecutive training passes."""
    cell = StochasticDepth(rates, seed=seed)
    cell.continue_after(first)
    return np.stack([cell(rows).asnumpy() for _ in range(passes)])


def test_branches_are_dropped_as_often_as_asked_and_the_mean_stays(pynative):
    rates = [0.0, 0.1, 0.1, 0.5]
    factors = drawn(rates, passes=60)
    for rate, values in zip(rates, factors.transpose(1, 0, 2)):
        assert set(np.unique(values)) <= {0.0, np.float32(1 / (1 - rate))}
        # Four standard deviations of the mean of 3840 draws.
        assert (values == 0).mean() == pytest.approx(rate, abs=4 * np.sqrt(rate / values.size))


def test_branches_images_and_passes_are_dropped_independently(pynative):
    kept = (drawn([0.5] * 6, passes=64) > 0) * 2.0 - 1
    limit = 5 / np.sqrt(kept.size / 6)
    for axis in range(3):
        for lag in (1, 2, 3):
            pairs = np.take(kept, range(lag, kept.shape[axis]), axis) * np.take(
                kept, range(kept.shape[axis] - lag), axis
            )
            assert abs(pairs.mean()) < limit, (axis, lag)


def test_draws_depend_on_the_seed_and_repeat_from_any_pass(mode):
    rates = [0.5, 0.5]
    run = drawn(rates, passes=5)
    np.testing.assert_array_equal(drawn(rates, passes=5), run)
    np.testing.assert_array_equal(drawn(rates, passes=2, first=3), run[3:])
    assert (drawn(rates, passes=5, seed=1) != run).any()
    assert (run[0] != run[1]).any()


def test_processes_draw_what_one_process_draws_for_the_whole_batch(pynative, monkeypatch):
    whole = drawn([0.5, 0.3], rows=8, passes=3)
    monkeypatch.setattr(depth_module, "get_world_size", lambda: 2)
    shards = []
    for rank in range(2):
        monkeypatch.setattr(depth_module, "get_rank", lambda rank=rank: rank)
        shards.append(drawn([0.5, 0.3], rows=4, passes=3))
    np.testing.assert_array_equal(np.concatenate(shards, 2), whole)


def test_dropped_branches_leave_the_tokens_as_they_are(pynative):
    cfg = cfg_of(DROP_PATH_RATIO=0.99)
    ms.set_seed(0)
    backbone = build_model(cfg).backbone
    images = ms.Tensor(batch_of()["images"] / 255)
    exact = backbone.set_train(False)(images).asnumpy()
    assert not np.array_equal(backbone.set_train()(images).asnumpy(), exact)
    np.testing.assert_array_equal(backbone.set_train(False)(images).asnumpy(), exact)


def test_draws_are_no_tensors_of_the_model():
    with_draws, without = (build_model(cfg_of(DROP_PATH_RATIO=rate)) for rate in (0.5, 0.0))
    assert export_weights(with_draws).keys() == export_weights(without).keys()


def trained(cfg, start, stop, weights=None):
    """Losses of some iterations, and the weights after them; plain SGD has no state."""
    ms.set_seed(0)
    model = build_model(cfg)
    if weights is not None:
        for parameter in model.get_parameters():
            ms.ops.assign(parameter, ms.Tensor(weights[parameter.name]))
    batches = [batch_of(seed) for seed in range(start, stop)]
    trainer = build_trainer(cfg, model, batches)
    totals = []
    trainer.write_losses = lambda _, record: totals.append(sum(record.terms().values()))
    trainer.train(start, stop, 100)
    return totals, {p.name: p.asnumpy().copy() for p in model.get_parameters()}


def test_a_resumed_run_drops_the_branches_of_the_uninterrupted_one(pynative):
    cfg = cfg_of(DROP_PATH_RATIO=0.5)
    # Two passes an iteration; at first the backbone is frozen, and draws nothing.
    cfg.SOLVER.ACCUMULATE = 2
    cfg.MODEL.FREEZE_LAYERS, cfg.SOLVER.FREEZE_ITERS = ["backbone"], 1
    totals, weights = trained(cfg, 0, 4)
    first, halfway = trained(cfg, 0, 2)
    second, after = trained(cfg, 2, 4, halfway)
    # In this mode, threads add up in an order of their own.
    np.testing.assert_allclose(first + second, totals, rtol=1e-5)
    for name, value in weights.items():
        np.testing.assert_allclose(after[name], value, rtol=0, atol=1e-5, err_msg=name)
    # And the draws matter.
    cfg.MODEL.BACKBONE.DROP_PATH_RATIO = 0.0
    assert trained(cfg, 2, 3, halfway)[0][0] != pytest.approx(second[0], rel=1e-2)


def test_an_iteration_repeats_its_draws_in_graph_mode():
    cfg = cfg_of(DROP_PATH_RATIO=0.5)
    cfg.SOLVER.BASE_LR = 0.0
    ms.set_seed(0)
    trainer = build_trainer(cfg, build_model(cfg), [batch_of()] * 6)
    totals = []
    trainer.write_losses = lambda _, record: totals.append(sum(record.terms().values()))
    trainer.train(0, 3, 100)
    trainer.train(1, 3, 100)
    assert len(set(totals[:3])) == 3
    assert totals[3:] == totals[1:3]


def gradients_of(cfg, *, half=False):
    """Losses and gradients of one batch in graph mode."""
    ms.set_seed(0)
    model = build_model(cfg)
    if half:
        use_half_precision(model)
    forward = LossForward(model, model.criterion())
    scale = LossScale(enabled=half)
    if half:
        # Gradients of this narrow, untrained network overflow at the first scales.
        scale.load_state_dict({"scale": np.float32(256), "steps": np.int32(0)})
    step = GradientStep(forward, model.trainable_params(), loss_scale=scale).set_train()
    batch = batch_of()
    inputs = (ms.Tensor(batch[key]) for key in ("images", "targets", "domainids"))
    losses, _, finite, gradients = step(*inputs)
    assert bool(finite.asnumpy())
    assert all(gradient.dtype == ms.float32 for gradient in gradients)
    return losses.asnumpy(), [gradient.asnumpy() for gradient in gradients]


@pytest.mark.parametrize("drop", [0.0, 0.5])
def test_half_precision_trains_near_the_numbers_of_single_precision_in_graph_mode(drop):
    losses, gradients = gradients_of(cfg_of(DROP_PATH_RATIO=drop))
    half_losses, half_gradients = gradients_of(cfg_of(DROP_PATH_RATIO=drop), half=True)
    assert not np.array_equal(half_losses, losses), "nothing was computed in float16"
    # float16 keeps 11 bits.
    np.testing.assert_allclose(half_losses, losses, rtol=0.02)
    largest = max(map(np.linalg.norm, gradients))
    for got, want in zip(half_gradients, gradients):
        if np.linalg.norm(want) > 1e-3 * largest:
            assert np.linalg.norm(got - want) < 0.1 * np.linalg.norm(want)


def test_the_gradient_of_a_bias_of_many_tokens_in_half_precision(mode):
    ms.set_seed(0)
    linear = TokenLinear(4, 3).set_train()
    linear.train_in_half_precision()
    tokens = np.random.RandomState(0).rand(16, 129, 4).astype(np.float32)
    output, _, gradients = ours(linear, tokens)
    assert output.dtype == np.float16
    want = projection(output.shape).astype(np.float16).astype(np.float64)
    # Rounded once, to 11 bits.
    np.testing.assert_allclose(gradients["bias"], want.sum((0, 1)), rtol=2**-11)


def test_half_precision_does_not_change_evaluation(pynative):
    features = []
    for half in (False, True):
        ms.set_seed(0)
        model = build_model(cfg_of())
        if half:
            use_half_precision(model)
        images = ms.Tensor(batch_of()["images"])
        features.append(model.set_train(False)(images).asnumpy())
        tokens = model.backbone.set_train()(images / 255)
        assert tokens.dtype == ms.float32
        linear = model.backbone.blocks[0].mlp.fc1(ms.ops.ones((1, 2, 32)))
        assert linear.dtype == (ms.float16 if half else ms.float32)
    np.testing.assert_array_equal(*features)


def test_recomputed_blocks_change_no_number_and_draw_the_same_branches():
    cfg = cfg_of(DROP_PATH_RATIO=0.5)
    losses, gradients = gradients_of(cfg)
    cfg.MODEL.RECOMPUTE = True
    again, again_gradients = gradients_of(cfg)
    np.testing.assert_allclose(again, losses, rtol=1e-6)
    for got, want in zip(again_gradients, gradients):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * np.abs(want).max())


@pytest.mark.parametrize("option", ["DROP_RATIO", "ATT_DROP_RATE"])
def test_blocks_with_dropout_train_and_are_not_recomputed(option):
    losses, _ = gradients_of(cfg_of(DROP_PATH_RATIO=0.0, **{option: 0.5}))
    exact, _ = gradients_of(cfg_of(DROP_PATH_RATIO=0.0))
    assert np.isfinite(losses).all()
    assert not np.allclose(losses, exact, rtol=1e-3)
    cfg = cfg_of(**{option: 0.5})
    cfg.MODEL.RECOMPUTE = True
    with pytest.raises(ValueError, match="MODEL.RECOMPUTE has no effect"):
        build_model(cfg)
