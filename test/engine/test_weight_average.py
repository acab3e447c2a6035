import numpy as np
import pytest
from mindspore import Tensor, ops

from fastreid.engine.weight_average import WeightAverage
from fastreid.utils.checkpoint import Checkpointer
from test.engine.toy import ToyNormModel, changed, randomize, values


def move_all(model, seed):
    rng = np.random.RandomState(seed)
    for parameter in model.get_parameters():
        ops.assign(parameter, Tensor(rng.rand(*parameter.shape).astype(np.float32)))


def test_weights_and_statistics_are_averaged(mode):
    model = randomize(ToyNormModel())
    average, want = WeightAverage(model, momentum=0.9), values(model)
    average.start()
    for seed in range(3):
        move_all(model, seed)
        average.update()
        want = {name: 0.9 * want[name] + 0.1 * now for name, now in values(model).items()}
    before = values(model)
    with average.applied(), average.applied():
        for name, value in values(model).items():
            np.testing.assert_allclose(value, want[name], rtol=1e-5, atol=1e-7)
    assert changed(model, before) == set()


def test_what_changes_while_it_is_applied_changes_the_average():
    model = randomize(ToyNormModel())
    average = WeightAverage(model, momentum=0.5)
    average.start()
    statistics = next(p for p in model.get_parameters() if p.name.endswith("moving_mean"))
    with average.applied():
        ops.assign(statistics, Tensor([1.0, 2.0, 3.0]))
    assert statistics.asnumpy().tolist() == [0, 0, 0]
    with average.applied():
        assert statistics.asnumpy().tolist() == [1, 2, 3]


def saved(model, average, folder):
    return Checkpointer(model, folder, while_saving=average.applied, average=average)


def test_checkpoints_hold_the_average_and_a_resumed_run_both(tmp_path):
    model = randomize(ToyNormModel())
    average = WeightAverage(model, momentum=0.5)
    average.start()
    move_all(model, 0)
    average.update()
    saved(model, average, tmp_path).save("model_0000")
    trained = values(model)
    with average.applied():
        averaged = values(model)

    evaluated = ToyNormModel()
    Checkpointer(evaluated).load(tmp_path / "model_0000.ckpt", weights_only=True)
    assert changed(evaluated, averaged) == set()
    resumed = ToyNormModel()
    second = WeightAverage(resumed, momentum=0.5)
    saved(resumed, second, tmp_path).resume_or_load("")
    second.start()
    assert changed(resumed, trained) == set()
    with second.applied():
        assert changed(resumed, averaged) == set()


def test_a_state_of_another_model_is_refused():
    average = WeightAverage(randomize(ToyNormModel()), momentum=0.5)
    with pytest.raises(ValueError, match="weight average state does not fit"):
        average.load_state_dict({"average.heads.weight": np.zeros((2, 2))})
