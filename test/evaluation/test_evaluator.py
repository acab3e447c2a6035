import logging

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from fastreid.evaluation import (
    DatasetEvaluator,
    evaluator,
    inference_context,
    inference_on_dataset,
)


class MeanColumns(nn.Cell):
    """A model whose features differ for mirror images: the mean of each column and of its square.

    In training mode they are ten times as large.
    """

    def __init__(self):
        super().__init__()
        self.seen = []

    def construct(self, images):
        self.seen.append(images.shape)
        columns = images.mean((1, 2))
        features = ms.ops.cat((columns, columns * columns), 1)
        return features * 10 if self.training else features


class Collector(DatasetEvaluator):
    def __init__(self):
        self.features = ["left over"]
        self.targets = []

    def reset(self):
        self.features = []

    def process(self, inputs, outputs):
        self.features.append(outputs)
        self.targets.extend(inputs["targets"].tolist())

    def evaluate(self):
        return {"features": np.concatenate(self.features), "targets": self.targets}


class Batches:
    """A loader of 7 images in batches of 3: the last has one."""

    batch_size = 3

    def __init__(self):
        self.images = np.random.RandomState(0).rand(7, 3, 4, 5).astype(np.float32)
        self.dataset = range(7)

    def __len__(self):
        return 3

    def __iter__(self):
        for start in range(0, 7, 3):
            rows = np.arange(start, min(start + 3, 7))
            yield {"images": self.images[rows], "targets": rows.astype(np.int32)}


def features_of(images):
    columns = images.mean((1, 2))
    return np.concatenate([columns, columns**2], axis=1)


@pytest.fixture
def model():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield MeanColumns().set_train()
    ms.set_context(mode=ms.GRAPH_MODE)


def test_the_last_batch_is_padded_for_the_model_and_cut_for_the_evaluator(model):
    loader = Batches()
    results = inference_on_dataset(model, loader, Collector())
    assert model.seen == [(3, 3, 4, 5)] * 3
    assert results["targets"] == list(range(7))
    np.testing.assert_allclose(results["features"], features_of(loader.images), rtol=1e-5)


def test_the_flip_test_averages_the_features_of_image_and_mirror_image(model):
    loader = Batches()
    before = loader.images.copy()
    results = inference_on_dataset(model, loader, Collector(), flip_test=True)
    want = (features_of(before) + features_of(before[..., ::-1])) / 2
    np.testing.assert_allclose(results["features"], want, rtol=1e-5)
    np.testing.assert_array_equal(loader.images, before)


def test_the_model_is_in_evaluation_mode_and_then_in_training_mode_again(model):
    results = inference_on_dataset(model, Batches(), Collector())
    assert results["features"].max() < 1
    assert model.training


@pytest.mark.parametrize("mode", [True, False])
def test_the_mode_is_restored_after_an_error(model, mode):
    model.set_train(mode)
    with pytest.raises(RuntimeError, match="out of paper"), inference_context(model):
        assert not model.training
        raise RuntimeError("out of paper")
    assert model.training is mode


def test_a_graph_is_compiled_once_for_all_batches():
    # Python in construct runs at compilation only.
    ms.set_context(mode=ms.GRAPH_MODE)
    head = nn.SequentialCell(nn.Flatten(), nn.Dense(60, 4)).set_train()
    results = inference_on_dataset(head, Batches(), Collector(), flip_test=True)
    assert results["features"].shape == (7, 4)
    assert len(head.compile_cache) == 1


def test_progress_is_logged_with_speed_and_remaining_time(model, caplog, monkeypatch):
    monkeypatch.setattr(evaluator, "SECONDS_BETWEEN_LOGS", 0)
    with caplog.at_level(logging.INFO):
        inference_on_dataset(model, Batches(), Collector())
    assert "Start evaluation on 7 images" in caplog.text
    assert "Evaluated 3/7 images" in caplog.text
    assert "Evaluated 6/7 images, " in caplog.text
    assert "images/s, ETA 0:00:0" in caplog.text
    assert "Features of 7 images in 0:00:0" in caplog.text


def test_progress_is_not_logged_all_the_time(model, caplog):
    with caplog.at_level(logging.INFO):
        inference_on_dataset(model, Batches(), Collector())
    assert "Evaluated" not in caplog.text


def test_the_interface_alone_cannot_evaluate():
    bare = DatasetEvaluator()
    bare.reset()
    with pytest.raises(NotImplementedError):
        bare.process({}, np.ones((1, 1)))
    with pytest.raises(NotImplementedError):
        bare.evaluate()
