import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops

from fastreid.layers import BatchNorm, get_pooling
from fastreid.utils.checkpoint.weights import load_weights


class Head(nn.Cell):
    def __init__(self, pooling, neck):
        super().__init__()
        if neck:
            self.bottleneck = nn.SequentialCell(BatchNorm(2))
        self.pool_layer = get_pooling(pooling)
        self.weight = Parameter(Tensor(np.ones((2, 3), np.float32)), name="weight")

    def construct(self, x):
        return self.pool_layer(x)


class Model(nn.Cell):
    def __init__(self, pooling="GlobalAvgPool", *, neck=False):
        super().__init__()
        self.heads = Head(pooling, neck)

    def construct(self, x):
        return self.heads(x)


WEIGHTS = {"heads.weight": np.full((2, 3), 5, np.float32)}
POWER = {"heads.pool_layer.p": np.float32([4.5])}
IMAGES = Tensor(np.random.RandomState(0).rand(2, 3, 4, 4).astype(np.float32))


def power_mean(power):
    mean = (IMAGES.asnumpy().astype(np.float64) ** power).mean((2, 3)) ** (1 / power)
    return pytest.approx(mean, rel=1e-5)


def pooled(model):
    return model(IMAGES).asnumpy()[:, :, 0, 0]


def test_a_learned_power_replaces_a_constant_and_is_logged(mode, caplog):
    model = Model("GeneralizedMeanPooling")
    assert pooled(model) == power_mean(3.0)
    load_weights(model, {**WEIGHTS, **POWER}, source="zoo.pth")
    # Also where the graph was compiled before.
    assert pooled(model) == power_mean(4.5)
    assert "zoo.pth: heads.pool_layer: the file's learned power 4.5 is used" in caplog.text
    # It is among the tensors of a checkpoint, under its own name, and does not learn.
    power = {p.name: p for p in model.get_parameters()}["heads.pool_layer.p"]
    assert power.asnumpy().tolist() == [4.5]
    assert not power.requires_grad


def test_a_file_without_a_power_gives_the_constant_and_this_is_logged(caplog):
    model = Model("GeneralizedMeanPoolingP")
    load_weights(model, {**WEIGHTS, **POWER})
    assert pooled(model) == power_mean(4.5)
    assert not caplog.text
    load_weights(model, WEIGHTS, source="plain.pth")
    assert pooled(model) == power_mean(3.0)
    assert "plain.pth: heads.pool_layer: the file has no learned power, 3 is used" in caplog.text


def test_a_power_that_is_the_constant_changes_nothing(caplog):
    model = Model("GeneralizedMeanPooling")
    before = model.heads.pool_layer
    load_weights(model, {**WEIGHTS, "heads.pool_layer.p": np.float32([3])})
    assert model.heads.pool_layer is before
    assert not caplog.text


@pytest.mark.parametrize("power", [[np.nan], [-1.0], [1.0, 2.0]], ids=str)
def test_an_invalid_power_is_an_error(power):
    model = Model("GeneralizedMeanPooling")
    with pytest.raises(ValueError, match=r"1 unexpected: heads\.pool_layer\.p"):
        load_weights(model, {**WEIGHTS, "heads.pool_layer.p": np.float32(power)})


def test_another_pooling_refuses_a_power():
    with pytest.raises(ValueError, match=r"1 unexpected: heads\.pool_layer\.p"):
        load_weights(Model(), {**WEIGHTS, **POWER})


def test_no_cell_is_adapted_if_another_tensor_does_not_fit(caplog):
    model = Model("GeneralizedMeanPooling")
    before = model.heads.pool_layer
    with pytest.raises(ValueError, match=r"1 missing: heads\.weight"):
        load_weights(model, {**POWER, "pixel_mean": np.zeros(3)})
    assert model.heads.pool_layer is before
    assert not caplog.text


@pytest.mark.parametrize("kind", [">f4", ">f8", "<f2", ">i2", "?"])
def test_numbers_of_any_type_and_byte_order_are_loaded(kind):
    model = Model()
    load_weights(model, {"heads.weight": np.ones((2, 3), kind)})
    assert (model.heads.weight.asnumpy() == 1).all()


def test_tensors_without_effect_on_features_are_ignored(caplog):
    model = Model()
    beside = {
        "heads.bottleneck.0.num_batches_tracked": np.array(3),
        "memory.queue": np.zeros((3, 4)),
        "pixel_mean": np.zeros((1, 3, 1, 1)),
    }
    load_weights(model, {**WEIGHTS, **beside})
    assert (model.heads.weight.asnumpy() == 5).all()
    # This model standardises nothing.
    assert not caplog.text


def test_names_of_mindspore_of_pytorch_and_of_older_releases_are_all_loaded():
    model = Model(neck=True)
    leaves = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean"}
    leaves["moving_variance"] = "running_var"
    for names in (leaves.keys(), leaves.values()):
        for neck in ("heads.bottleneck.0", "heads.bnneck"):
            expected = np.float32(np.random.RandomState(len(neck)).rand(2))
            load_weights(model, {f"{neck}.{name}": expected for name in names}, ignore=["heads.w"])
            for parameter in model.heads.bottleneck.get_parameters():
                np.testing.assert_array_equal(parameter.asnumpy(), expected)
                ops.assign(parameter, ops.zeros_like(parameter))
