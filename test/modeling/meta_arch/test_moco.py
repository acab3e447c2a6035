import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, value_and_grad

from fastreid.config import get_cfg
from fastreid.engine.build import build_trainer
from fastreid.engine.weight_average import WeightAverage
from fastreid.modeling import build_model, classifier_prefixes
from fastreid.modeling.meta_arch.moco import EMPTY, Memory, MoCo
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint.names import export_weights
from fastreid.utils.checkpoint.weights_file import write_weights
from test.small_backbones import TWO_CONVOLUTIONS

DIM, MARGIN, GAMMA = 5, 0.25, 32
CLASSES, ROWS = 4, 6


class NumpyMemory:
    """The definition in float64: a list of (label, unit key), the oldest one first."""

    def __init__(self, size):
        self.size = size
        self.keys = []

    def __call__(self, features, targets):
        """Loss of a batch, and its gradient by central differences of the rows alone."""
        units = features / np.linalg.norm(features, axis=1, keepdims=True)
        self.keys += list(zip(targets.tolist(), units))
        self.keys = self.keys[-self.size :]
        gradient = np.zeros_like(features)
        for place in np.ndindex(features.shape):
            step = np.zeros_like(features)
            step[place] = 1e-6
            change = self.loss(features + step, targets) - self.loss(features - step, targets)
            gradient[place] = change / 2e-6
        return self.loss(features, targets), gradient

    def loss(self, features, targets):
        first = len(self.keys) - len(targets)
        losses = []
        for row, (feature, target) in enumerate(zip(features, targets)):
            unit = feature / np.linalg.norm(feature)
            positives, negatives = [], []
            for place, (label, key) in enumerate(self.keys):
                if label != target:
                    negatives.append(np.exp(GAMMA * (unit @ key + MARGIN)))
                elif place != first + row:
                    positives.append(np.exp(-GAMMA * (unit @ key)))
            losses.append(np.log1p(sum(positives) * sum(negatives)))
        return np.mean(losses)


def batches(count, *, rows=ROWS, seed=0):
    rng = np.random.RandomState(seed)
    for _ in range(count):
        yield rng.randn(rows, DIM), rng.randint(0, CLASSES, rows).astype(np.int32)


def config(*words):
    cfg = get_cfg()
    cfg.merge_from_list(
        [
            *TWO_CONVOLUTIONS,
            *("MODEL.META_ARCHITECTURE", "MoCo", "MODEL.QUEUE_SIZE", "16"),
            *("MODEL.HEADS.WITH_BNNECK", "True", "MODEL.HEADS.NUM_CLASSES", str(CLASSES)),
            *("MODEL.LOSSES.NAME", "('CrossEntropyLoss', 'TripletLoss')"),
            *("SOLVER.LOG_PERIOD", "1", "SOLVER.BASE_LR", "0.01", "SOLVER.OPT", "SGD", *words),
        ]
    )
    return cfg


@pytest.mark.parametrize("size", [ROWS, 2 * ROWS, 2 * ROWS + 3], ids="{} places".format)
def test_losses_and_gradients_of_several_steps_are_those_of_a_loop(mode, size):
    ms.set_seed(0)
    memory, definition = Memory(DIM, size), NumpyMemory(size)
    differentiate = value_and_grad(memory)
    for features, targets in batches(6):
        features = features.astype(np.float32)
        loss, gradient = differentiate(Tensor(features), Tensor(targets))
        wanted, slope = definition(features.astype(np.float64), targets)
        np.testing.assert_allclose(loss.asnumpy(), wanted, rtol=2e-5)
        np.testing.assert_allclose(gradient.asnumpy(), slope, atol=3e-5 * np.abs(slope).max())


def test_the_memory_starts_with_unit_directions_that_belong_to_nobody():
    ms.set_seed(0)
    memory = Memory(200, 300)
    queue = memory.queue.asnumpy()
    assert queue.shape == (200, 300)
    np.testing.assert_allclose(np.linalg.norm(queue, axis=0), 1, rtol=1e-5)
    assert queue.std() == pytest.approx(200**-0.5, rel=0.02)
    features = np.eye(4, 200, dtype=np.float32)
    # Four directions at right angles and 296 places without a key: no row has a positive.
    loss = memory(Tensor(features), Tensor(np.arange(4, dtype=np.int32)))
    assert loss.asnumpy() == 0


def test_a_batch_that_the_queue_cannot_hold_is_refused(mode, tmp_path, monkeypatch):
    # A failed compile leaves a folder rank_0 behind.
    monkeypatch.chdir(tmp_path)
    features, targets = next(batches(1, rows=4))
    memory = Memory(DIM, 3)
    with pytest.raises(ValueError, match=r"QUEUE_SIZE 3 is less than the 4 images of a step; set"):
        memory(Tensor(features.astype(np.float32)), Tensor(targets))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["MODEL.QUEUE_SIZE", "0"], r"MODEL.QUEUE_SIZE is 0; it must be at least 1"),
        (
            ["MODEL.HEADS.EMBEDDING_DIM", "8"],
            r"EMBEDDING_DIM 8, but MODEL.HEADS.NECK_FEAT before .* set NECK_FEAT to after",
        ),
        (
            ["MODEL.HEADS.NAME", "MetaEmbeddingHead", "MODEL.HEADS.CLASSES_PER_DOMAIN", "[2, 2]"],
            r"MoCo needs a head with one classifier, not MODEL.HEADS.NAME MetaEmbeddingHead",
        ),
    ],
)
def test_settings_that_do_not_fit_name_their_keys(words, message):
    with pytest.raises(ValueError, match=message):
        build_model(config(*words))


def test_the_queue_holds_the_embedding_where_the_losses_get_it():
    words = ("MODEL.HEADS.EMBEDDING_DIM", "8", "MODEL.HEADS.NECK_FEAT", "after")
    assert build_model(config(*words)).memory.queue.shape == (8, 16)


class Images:
    """Endless batches of drawn images."""

    def __iter__(self):
        rng = np.random.RandomState(0)
        while True:
            targets = np.repeat(np.arange(CLASSES, dtype=np.int32), 2)
            yield {
                "images": rng.uniform(0, 255, (8, 3, 16, 8)).astype(np.float32),
                "targets": targets,
                "domainids": 0 * targets,
                "img_paths": np.array(["drawn.jpg"] * 8),
            }


def trained(cfg, iterations):
    ms.set_seed(0)
    trainer = build_trainer(cfg, build_model(cfg), Images())
    trainer.train(0, iterations, 10)
    return trainer


def test_a_model_trains_in_graph_mode_and_its_checkpoint_has_the_memory(tmp_path):
    trainer = trained(config(), 3)
    model = trainer.model
    assert isinstance(model, MoCo)
    assert trainer.storage.latest()["loss_mb"][0] > 0
    assert set(trainer.forward.names) == {"loss_cls", "loss_triplet", "loss_mb"}
    # Two batches of eight fill the queue; the third is at its beginning again.
    assert model.memory.queue_ptr.asnumpy().tolist() == [8]
    assert model.memory.queue_label.asnumpy().tolist() == [[0, 0, 1, 1, 2, 2, 3, 3] * 2]
    assert not [p for p in model.trainable_params() if p.name.startswith("memory.")]

    Checkpointer(model, tmp_path).save("model")
    other = build_model(config())
    Checkpointer(other).load(tmp_path / "model.ckpt")
    for name, value in export_weights(model).items():
        np.testing.assert_array_equal(export_weights(other)[name], value, name)


def test_the_memory_reaches_the_backbone_as_a_loss():
    without = trained(config("MODEL.META_ARCHITECTURE", "Baseline"), 1).model
    with_memory = trained(config(), 1).model
    name = "backbone.conv1.weight"
    assert (export_weights(without)[name] != export_weights(with_memory)[name]).any()


def test_weights_of_fast_reid_load_strictly_and_evaluation_needs_no_memory(tmp_path):
    model = build_model(config())
    weights = {
        name: np.random.RandomState(0).uniform(0.5, 1, value.shape).astype(value.dtype)
        for name, value in export_weights(model).items()
    }
    # PyTorch's counters have 64 bits.
    weights["memory.queue_label"] = np.arange(16, dtype=np.int64)[None] % CLASSES
    weights["memory.queue_ptr"] = np.array([8], np.int64)
    write_weights(tmp_path / "moco.pth", weights, key="model")
    Checkpointer(model).load(tmp_path / "moco.pth")
    for name, value in export_weights(model).items():
        np.testing.assert_array_equal(value, weights[name], name)

    for name in [name for name in weights if name.startswith("memory.")]:
        del weights[name]
    write_weights(tmp_path / "without.pth", weights)
    with pytest.raises(ValueError, match=r"3 missing: memory.queue"):
        Checkpointer(build_model(config())).load(tmp_path / "without.pth")
    fresh = build_model(config("MODEL.QUEUE_SIZE", "24"))
    for path in ("without.pth", "moco.pth"):
        ignore = classifier_prefixes(fresh)
        Checkpointer(fresh).load(tmp_path / path, ignore=ignore, weights_only=True)
        assert (fresh.memory.queue_label.asnumpy() == EMPTY).all()
    baseline = build_model(config("MODEL.META_ARCHITECTURE", "Baseline"))
    Checkpointer(baseline).load(tmp_path / "moco.pth")


def test_the_average_of_the_weights_leaves_the_memory_out():
    trainer = trained(config(), 1)
    average = WeightAverage(trainer.model, momentum=0.5)
    average.start()
    before = export_weights(trainer.model)
    trainer.train(1, 2, 10)
    average.update()
    after = export_weights(trainer.model)
    with average.applied():
        applied = export_weights(trainer.model)
    for name in ("memory.queue", "memory.queue_label", "memory.queue_ptr"):
        np.testing.assert_array_equal(applied[name], after[name])
        assert (before[name] != after[name]).any()
    assert (applied["heads.weight"] != after["heads.weight"]).any()
