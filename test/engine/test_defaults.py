"""The plain fast-reid path through the trainer of a config, on files."""

import itertools
import json
import os

import mindspore as ms
import numpy as np
import pytest

from fastreid.engine import DefaultTrainer, HookBase, MetaTrainer, SimpleTrainer
from fastreid.utils.checkpoint.files import read_checkpoint, write_checkpoint
from test.small_backbones import TWO_ADAPTIVE_STAGES


def test_a_plain_model_trains_evaluates_and_saves(cfg, tmp_path, caplog):
    caplog.set_level("INFO", logger="fastreid")
    trainer = DefaultTrainer(cfg)
    assert type(trainer._trainer) is SimpleTrainer
    assert trainer.iters_per_epoch == 2
    assert any(b"\xc4" in os.fsencode(path) for path in trainer.data_loader.dataset.paths)
    results = trainer.train()
    assert 0 < results["Market1501"]["mAP"] < 100
    records = [json.loads(line) for line in (tmp_path / "metrics.json").read_text().splitlines()]
    assert [r["iteration"] for r in records if "loss_cls" in r] == [0, 1, 2, 3]
    assert [r["iteration"] for r in records if "Market1501/mAP" in r] == [1, 3]
    names = {path.name for path in tmp_path.glob("*.ckpt")}
    assert names == {"model_best.ckpt", "model_0000.ckpt", "model_final.ckpt"}
    extra = read_checkpoint(tmp_path / "model_final.ckpt").extra
    assert extra["iteration"] == 4
    last, best = results["Market1501"]["metric"], extra["best_metric"]
    assert best >= last
    assert f"{last:.2f} after the last epoch; {best:.2f} in model_best" in caplog.text


def test_batches_that_leave_a_norm_one_value_are_refused_before_the_first_step(cfg, tmp_path):
    cfg.SOLVER.IMS_PER_BATCH = 1
    with pytest.raises(ValueError, match=r"more than 1 value per channel.*that works is 2\."):
        DefaultTrainer(cfg)
    assert not list(tmp_path.glob("*.ckpt"))


def test_losses_without_negatives_are_reported_before_the_first_step(cfg, caplog):
    cfg.MODEL.LOSSES.NAME = ("CrossEntropyLoss", "TripletLoss")
    cfg.DATALOADER.SAMPLER_TRAIN = "NaiveIdentitySampler"
    cfg.SOLVER.IMS_PER_BATCH = cfg.DATALOADER.NUM_INSTANCE = 2
    DefaultTrainer(cfg).close()
    (warning,) = [r for r in caplog.records if "never gets a" in r.getMessage()]
    assert warning.levelname == "WARNING"
    assert "smallest that holds two is 4" in warning.getMessage()


def test_mixed_precision_scales_the_loss_and_keeps_its_scale(cfg, tmp_path, monkeypatch):
    for module in ("build", "defaults"):
        monkeypatch.setattr(f"fastreid.engine.{module}.uses_mixed_precision", lambda cfg: True)
    cfg.SOLVER.STOP_ITERS = 2
    trainer = DefaultTrainer(cfg)
    images = ms.Tensor(np.zeros((1, 3, 16, 8), np.float32))
    assert trainer.model.backbone.conv1.set_train()(images).dtype == ms.float16
    trainer._trainer.loss_scale.load_state_dict({"scale": 64.0, "steps": 1999})
    trainer.train()
    state = read_checkpoint(tmp_path / "model_final.ckpt").states["loss_scale"]
    assert {key: value.item() for key, value in state.items()} == {"scale": 128, "steps": 1}
    again = DefaultTrainer(cfg)
    again.resume_or_load()
    assert again._trainer.loss_scale.state_dict()["scale"] == 128


def test_a_frozen_backbone_learns_after_the_freeze_iterations(cfg):
    cfg.merge_from_list(["MODEL.FREEZE_LAYERS", "['backbone']", "SOLVER.FREEZE_ITERS", "1"])
    cfg.merge_from_list(["SOLVER.STOP_ITERS", "2", "TEST.EVAL_PERIOD", "0", "TEST.PLOTS", "False"])
    trainer = DefaultTrainer(cfg)
    weight = trainer.model.backbone.conv1.weight
    seen = [weight.asnumpy().copy()]
    step = trainer._trainer.run_step
    trainer._trainer.run_step = lambda: (step(), seen.append(weight.asnumpy().copy()))
    trainer.train()
    assert (seen[0] == seen[1]).all()
    assert (seen[1] != seen[2]).any()


def test_accumulation_average_and_precise_statistics_work_together(cfg, tmp_path):
    cfg.merge_from_list(["SOLVER.ACCUMULATE", "2", "SOLVER.EMA.ENABLED", "True"])
    cfg.merge_from_list(["TEST.PRECISE_BN.ENABLED", "True", "TEST.PRECISE_BN.NUM_ITER", "2"])
    cfg.merge_from_list(["SOLVER.OPT", "AdamW", "SOLVER.STOP_ITERS", "3", "TEST.PLOTS", "False"])
    trainer = DefaultTrainer(cfg)
    results = trainer.train()
    again = DefaultTrainer(cfg)
    again.checkpointer.load(tmp_path / "model_final.ckpt", weights_only=True)
    assert again.test(again.cfg, again.model)["Market1501"] == results["Market1501"]
    again.resume_or_load()
    for mine, theirs in zip(again.model.get_parameters(), trainer.model.get_parameters()):
        np.testing.assert_array_equal(mine.asnumpy(), theirs.asnumpy())
    again.close()


def test_a_batch_that_accumulation_does_not_divide_is_refused(cfg):
    cfg.SOLVER.ACCUMULATE = 4
    with pytest.raises(ValueError, match=r"IMS_PER_BATCH \(10\) must be a multiple of .*\(4\)"):
        DefaultTrainer(cfg)


def test_acl_without_meta_steps_needs_no_domain_loaders(cfg):
    cfg.merge_from_list(list(TWO_ADAPTIVE_STAGES))
    cfg.merge_from_list(["MODEL.HEADS.NAME", "MetaEmbeddingHead", "SOLVER.WARMUP_EPOCHS", "0"])
    cfg.DATASETS.NAMES = ("Market1501", "cuhkSYSU")
    cfg.SOLVER.IMS_PER_BATCH = 16
    with_meta = DefaultTrainer(cfg)
    assert isinstance(with_meta._trainer, MetaTrainer)
    assert len(with_meta.domain_loaders) == 2
    with_meta.close()
    cfg.SOLVER.META.PERIOD = 0
    without = DefaultTrainer(cfg)
    # The ten basic steps of the first iteration stay, so that runs can be compared.
    assert isinstance(without._trainer, MetaTrainer)
    assert without.domain_loaders == []
    without.close()


def test_freezing_and_meta_steps_exclude_each_other(cfg):
    cfg.merge_from_list(list(TWO_ADAPTIVE_STAGES))
    cfg.merge_from_list(["MODEL.HEADS.NAME", "MetaEmbeddingHead", "SOLVER.WARMUP_EPOCHS", "0"])
    cfg.merge_from_list(["MODEL.FREEZE_LAYERS", "['backbone']", "SOLVER.FREEZE_ITERS", "1"])
    cfg.DATASETS.NAMES, cfg.SOLVER.IMS_PER_BATCH = ("Market1501", "cuhkSYSU"), 16
    with pytest.raises(ValueError, match="FREEZE_ITERS cannot be combined with ACL's meta steps"):
        DefaultTrainer(cfg)


def test_freezing_every_parameter_is_refused(cfg):
    cfg.merge_from_list(["MODEL.FREEZE_LAYERS", "['backbone', 'heads']"])
    cfg.SOLVER.FREEZE_ITERS = 1
    with pytest.raises(ValueError, match="freezes every parameter"):
        DefaultTrainer(cfg)


def test_a_log_period_below_one_is_refused(cfg):
    cfg.SOLVER.LOG_PERIOD = 0
    with pytest.raises(ValueError, match=r"SOLVER.LOG_PERIOD is 0; it must be at least 1"):
        DefaultTrainer(cfg)


def test_a_run_is_not_resumed_with_data_in_another_order(cfg):
    cfg.merge_from_list(["SOLVER.STOP_ITERS", "1", "TEST.EVAL_PERIOD", "0", "TEST.PLOTS", "False"])
    DefaultTrainer(cfg).train()
    cfg.SOLVER.IMS_PER_BATCH = 5
    resumed = DefaultTrainer(cfg)
    with pytest.raises(ValueError, match="had SOLVER.IMS_PER_BATCH 10, not 5. Set it back"):
        resumed.resume_or_load()
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.STOP_ITERS = 10, 3
    resumed = DefaultTrainer(cfg)
    resumed.resume_or_load()
    assert resumed.start_iter == 1


def test_a_checkpoint_without_sampler_states_can_be_resumed(cfg, tmp_path):
    cfg.merge_from_list(["SOLVER.STOP_ITERS", "3", "TEST.EVAL_PERIOD", "0", "TEST.PLOTS", "False"])
    DefaultTrainer(cfg).train()
    path = tmp_path / "model_final.ckpt"
    content = read_checkpoint(path)
    # Two batches of ten were a pass over the twenty images.
    assert [state["index"] for state in content.extra["bookmarks"]] == [20]
    older = {key: value for key, value in content.extra.items() if key != "bookmarks"}
    batches = []
    for extra in (content.extra, older):
        write_checkpoint(path, content.model, states=content.states, extra=extra)
        trainer = DefaultTrainer(cfg)
        trainer.resume_or_load()
        assert (trainer.data_loader.sampler_state is None) == (extra is older)
        batches.append(list(itertools.islice(trainer.data_loader, 4)))
        assert trainer.data_loader.sampler_state["index"] == 60
        trainer.close()
    for ours, theirs in zip(*batches):
        for name, column in theirs.items():
            np.testing.assert_array_equal(ours[name], column)


def test_a_training_set_smaller_than_a_batch_is_refused(cfg):
    cfg.SOLVER.IMS_PER_BATCH = 64
    with pytest.raises(ValueError, match=r"have 20 images, fewer than SOLVER.IMS_PER_BATCH \(64\)"):
        DefaultTrainer(cfg)


@pytest.mark.parametrize(
    ("tests", "error", "message"),
    [
        ("Marked1501", KeyError, "no 'Marked1501'. Did you mean"),
        ("MSMT17", FileNotFoundError, "MSMT17: neither .* exists"),
    ],
)
def test_test_sets_are_checked_before_anything_is_built(cfg, tmp_path, tests, error, message):
    cfg.DATASETS.TESTS = ("Market1501", tests)
    with pytest.raises(error, match=message):
        DefaultTrainer(cfg)
    assert list(tmp_path.iterdir()) == []


def test_a_part_to_freeze_that_the_model_lacks_is_named(cfg):
    cfg.merge_from_list(["MODEL.FREEZE_LAYERS", "['neck']", "SOLVER.FREEZE_ITERS", "1"])
    with pytest.raises(ValueError, match="FREEZE_LAYERS names 'neck', which the model does"):
        DefaultTrainer(cfg)


def test_weights_of_another_run_may_have_other_classifiers(cfg, tmp_path):
    cfg.merge_from_list(["SOLVER.STOP_ITERS", "1", "TEST.EVAL_PERIOD", "0", "TEST.PLOTS", "False"])
    trainer = DefaultTrainer(cfg)
    trainer.train()
    cfg.DATASETS.NAMES = ("Market1501", "cuhkSYSU")
    cfg.MODEL.WEIGHTS = str(tmp_path / "model_final.ckpt")
    cfg.OUTPUT_DIR = str(tmp_path / "second")
    (tmp_path / "second").mkdir()
    second = DefaultTrainer(cfg)
    second.resume_or_load(resume=True)
    assert second.start_iter == 0
    assert second.model.heads.weight.shape == (10, 16)
    mine, theirs = second.model.backbone.conv1.weight, trainer.model.backbone.conv1.weight
    assert (mine.asnumpy() == theirs.asnumpy()).all()
    second.close()


def test_a_loss_that_is_not_finite_leaves_a_checkpoint_for_inspection(cfg, tmp_path):
    cfg.merge_from_list(["TEST.EVAL_PERIOD", "0", "TEST.PLOTS", "False"])
    trainer = DefaultTrainer(cfg)
    weight = trainer.model.heads.weight

    class Spoil(HookBase):
        def before_step(self):
            if self.trainer.iter == 1:
                ms.ops.assign(weight, ms.Tensor(np.full(weight.shape, np.nan, np.float32)))

    trainer.register_hooks([Spoil()])
    with pytest.raises(FloatingPointError, match="iteration 1 is not finite.*rate 0.0003"):
        trainer.train()
    found = read_checkpoint(tmp_path / "debug_0000001.ckpt").extra["non_finite"]
    assert found["lr"] == pytest.approx(3e-4)
    assert list(found["terms"]) == ["loss_cls"]
    assert len(found["img_paths"]) == 10
    resumed = DefaultTrainer(cfg)
    resumed.resume_or_load()
    assert resumed.start_iter == 0
    resumed.close()


def test_an_unknown_value_of_on_error_is_refused(cfg):
    cfg.DATALOADER.ON_ERROR = "ignore"
    with pytest.raises(ValueError, match=r"ON_ERROR is 'ignore'; it can be one of \('raise', 'sk"):
        DefaultTrainer(cfg)
