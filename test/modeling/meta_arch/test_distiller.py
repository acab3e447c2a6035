import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from fastreid.engine.build import build_trainer
from fastreid.engine.resume import checkpointables_of
from fastreid.engine.steps.train_step import LossForward
from fastreid.modeling import build_model, use_half_precision
from fastreid.utils.checkpoint import Checkpointer
from test.modeling.meta_arch.distill_models import (
    DISTILLER,
    EMA,
    OVERHAUL,
    SMALL,
    STAGES,
    batch,
    config,
    values,
    write_teacher,
)

TEACHER_PREFIX = "teachers.0."


@pytest.fixture
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


def student_of(*words):
    ms.set_seed(0)
    return build_model(config(*words))


def trainer_of(model, *words, batches=3):
    return build_trainer(config(*words), model, [batch(seed) for seed in range(batches)])


def losses_of(model, columns=None):
    columns = columns or batch()
    forward = LossForward(model, model.criterion()).set_train()
    targets = Tensor(columns["targets"])
    losses = forward(Tensor(columns["images"]), targets, targets * 0)[1].asnumpy()
    return dict(zip(forward.names, losses.tolist()))


def test_steps_teach_the_student_and_move_only_the_moving_teacher(tmp_path, mode):
    words = (*SMALL, *DISTILLER, *EMA, *write_teacher(tmp_path, *SMALL), "MODE", mode)
    student = student_of(*words)
    moving, fixed = student.teachers
    trainer = trainer_of(student, *words)
    before, kept, followed = values(student), values(fixed), values(student)
    for step in range(2):
        trainer.train(step, step + 1, 1)
        after = values(student)
        # The teacher moves between the forward pass, which moves statistics, and the update.
        seen = {k: after[k] if "moving_" in k else before[k] for k in after}
        followed = {k: 0.75 * followed[k] + 0.25 * seen[k] for k in after}
        got = values(moving, TEACHER_PREFIX)
        assert got.keys() == followed.keys()
        for name, value in followed.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
        before = after
    for name, value in values(fixed).items():
        np.testing.assert_array_equal(value, kept[name])
    assert student.criterion().names == ("loss_cls", "loss_jsdiv")
    names = {p.name for o in trainer.named_optimizers.values() for p in o.parameters}
    assert names == {p.name for p in student.trainable_params()}
    assert not any(name.startswith("teachers") for name in values(student))


def test_the_moving_teacher_moves_once_for_each_update(tmp_path, mode):
    words = (*SMALL, *DISTILLER, *EMA, "SOLVER.ACCUMULATE", 2, "MODE", mode)
    student = student_of(*words)
    trainer = trainer_of(student, *words)
    before, followed = values(student), values(student)
    for step in range(3):
        trainer.train(step, step + 1, 1)
        got = values(student.teachers[0], TEACHER_PREFIX)
        for name in before:
            # Statistics move in every part of the batch, of which the teacher sees the first.
            if "moving_" not in name:
                followed[name] = 0.75 * followed[name] + 0.25 * before[name]
                close = {"rtol": 1e-5, "atol": 1e-6, "err_msg": name}
                np.testing.assert_allclose(got[name], followed[name], **close)
        before = values(student)
    moved = np.abs(before["heads.weight"] - followed["heads.weight"]).max()
    assert moved > 1e-4


@pytest.mark.usefixtures("pynative")
def test_a_teacher_normalizes_by_its_running_statistics(tmp_path):
    student = student_of(*SMALL, *DISTILLER, *write_teacher(tmp_path, *SMALL)).set_train()
    images, targets = batch()["images"], Tensor(batch()["targets"])
    first = student.outputs(Tensor(images), targets)["teacher_logits"][0].asnumpy()
    images[4:] *= 0.1
    second = student.outputs(Tensor(images), targets)["teacher_logits"][0].asnumpy()
    np.testing.assert_allclose(first[:4], second[:4], rtol=1e-5, atol=1e-5)
    assert np.abs(first[4:] - second[4:]).max() > 1e-3


@pytest.mark.usefixtures("pynative")
def test_the_divergence_is_the_mean_over_the_teachers(tmp_path):
    one = write_teacher(tmp_path, *SMALL, seed=1)
    other = write_teacher(tmp_path, *STAGES, seed=2)
    both = (one[0], one[1] + other[1], one[2], one[3] + other[3])
    alone = [losses_of(student_of(*SMALL, *DISTILLER, *kd)) for kd in (one, other)]
    together = losses_of(student_of(*SMALL, *DISTILLER, *both))
    mean = np.mean([losses["loss_jsdiv"] for losses in alone])
    assert together["loss_jsdiv"] == pytest.approx(mean, rel=1e-5)
    assert together["loss_cls"] == pytest.approx(alone[0]["loss_cls"], rel=1e-5)
    assert alone[0]["loss_jsdiv"] != alone[1]["loss_jsdiv"]


@pytest.mark.usefixtures("pynative")
def test_a_teacher_needs_neither_imagenet_weights_nor_processes_and_has_its_own_softmax(tmp_path):
    words = (*SMALL, "MODEL.HEADS.CLS_LAYER", "CosSoftmax", "MODEL.HEADS.SCALE", 16)
    kd = write_teacher(tmp_path, *words, "MODEL.BACKBONE.NORM", "syncBN", saved=0)
    text = (tmp_path / "teacher0.yaml").read_text(encoding="utf-8")
    (tmp_path / "teacher0.yaml").write_text(text.replace("PRETRAIN: false", "PRETRAIN: true"))
    logits = (
        student_of(*SMALL, *DISTILLER, *kd)
        .set_train()
        .outputs(Tensor(batch()["images"]), Tensor(batch()["targets"]))["teacher_logits"][0]
    )
    assert 4 < np.abs(logits.asnumpy()).max() <= 16


@pytest.mark.usefixtures("pynative")
def test_the_moving_teacher_starts_from_the_weights_that_training_starts_from(tmp_path):
    words = (*SMALL, *DISTILLER, *EMA)
    kd = write_teacher(tmp_path, *SMALL)
    student = student_of(*words)
    Checkpointer(student).load(kd[3][0], weights_only=True)
    start = values(student)
    losses = losses_of(student)
    assert losses["loss_jsdiv"] >= 0
    got = values(student.teachers[0], TEACHER_PREFIX)
    for name, value in start.items():
        if "moving_" not in name:
            np.testing.assert_allclose(got[name], value, rtol=1e-6, err_msg=name)


@pytest.mark.usefixtures("pynative")
def test_a_resumed_run_goes_on_with_the_moving_teacher(tmp_path):
    words = (*SMALL, *DISTILLER, *EMA, "MODE", "pynative")
    student = student_of(*words)
    trainer = trainer_of(student, *words)
    trainer.train(0, 1, 1)
    Checkpointer(student, tmp_path, **checkpointables_of(trainer)).save("first")
    trainer.train(1, 2, 1)
    ms.set_seed(5)
    again = build_model(config(*words))
    resumed = build_trainer(config(*words), again, [batch(1), batch(2)])
    Checkpointer(again, tmp_path, **checkpointables_of(resumed)).load(tmp_path / "first.ckpt")
    resumed.train(1, 2, 1)
    for one, other in ((student, again), (student.teachers[0], again.teachers[0])):
        for name, value in values(one).items():
            np.testing.assert_array_equal(values(other)[name], value, err_msg=name)


def test_a_state_of_another_teacher_is_refused():
    moving = student_of(*SMALL, *DISTILLER, *EMA).checkpointables["moving_teacher"]
    state = moving.state_dict()
    with pytest.raises(ValueError, match=r"KD\.EMA.*differs in .*heads\.weight"):
        moving.load_state_dict({**state, "heads.weight": state["heads.weight"][:2]})


@pytest.mark.usefixtures("pynative")
@pytest.mark.parametrize("architecture", [DISTILLER, OVERHAUL], ids=lambda words: words[1])
def test_a_checkpoint_is_that_of_a_baseline(tmp_path, architecture):
    kd = write_teacher(tmp_path, *STAGES)
    student = student_of(*STAGES, *architecture, *kd)
    Checkpointer(student, tmp_path).save("student")
    images = Tensor(batch()["images"])
    want = student.set_train(False)(images).asnumpy()
    for words in (STAGES, (*STAGES, *architecture, "MODEL.HEADS.NUM_CLASSES", 0)):
        ms.set_seed(7)
        model = build_model(config(*words))
        ignore = ["heads.weight"]
        Checkpointer(model).load(tmp_path / "student.ckpt", weights_only=True, ignore=ignore)
        np.testing.assert_array_equal(model.set_train(False)(images).asnumpy(), want)


def test_for_evaluation_the_files_of_teachers_are_not_read():
    kd = ("KD.MODEL_CONFIG", ["gone.yaml"], "KD.MODEL_WEIGHTS", ["gone.pth"])
    model = student_of(*SMALL, *DISTILLER, *kd, "MODEL.HEADS.NUM_CLASSES", 0)
    assert model.teachers == ()


@pytest.mark.usefixtures("pynative")
def test_only_the_last_stage_is_compared_before_its_relu(tmp_path):
    student = student_of(*STAGES, *OVERHAUL, *write_teacher(tmp_path, *STAGES)).set_train()
    outputs = student.outputs(Tensor(batch()["images"]), Tensor(batch()["targets"]))
    ((*first, last),) = outputs["stage_maps"]
    for _, teachers, margin in first:
        assert teachers.asnumpy().min() == 0
        assert margin.asnumpy().max() < 0
    assert last[1].asnumpy().min() < 0


@pytest.mark.usefixtures("pynative")
def test_in_half_precision_the_losses_are_nearly_the_same(tmp_path):
    words = (*STAGES, *OVERHAUL, *write_teacher(tmp_path, *STAGES))
    want = losses_of(student_of(*words))
    student = student_of(*words)
    use_half_precision(student)
    got = losses_of(student)
    assert got == pytest.approx(want, rel=2e-2)
    assert got != want
