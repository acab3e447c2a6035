"""Overriding a builder of `DefaultTrainer` in a subclass changes the run."""

import json

import pytest
from mindspore import nn

from fastreid.engine import DefaultTrainer, MetaTrainer, hooks
from fastreid.evaluation import DatasetEvaluator
from fastreid.layers import Conv2d
from fastreid.solver import SGD, Adam, build_optimizer
from fastreid.utils.events import EventWriter
from test.small_backbones import TWO_ADAPTIVE_STAGES


@pytest.fixture
def cfg(cfg):
    """One step, no evaluation: most parts are there before the first step."""
    cfg.merge_from_list(["SOLVER.STOP_ITERS", "1", "TEST.EVAL_PERIOD", "0", "TEST.PLOTS", "False"])
    return cfg


@pytest.fixture
def acl_cfg(cfg):
    cfg.merge_from_list(list(TWO_ADAPTIVE_STAGES))
    cfg.merge_from_list(["MODEL.HEADS.NAME", "MetaEmbeddingHead", "SOLVER.WARMUP_EPOCHS", "0"])
    cfg.DATASETS.NAMES, cfg.SOLVER.IMS_PER_BATCH = ("Market1501", "cuhkSYSU"), 16
    return cfg


def test_build_train_loader_decides_what_is_trained_on(cfg):
    class Trainer(DefaultTrainer):
        @classmethod
        def build_train_loader(cls, cfg):
            cfg = cfg.clone()
            cfg.DATASETS.NAMES = ("cuhkSYSU",)
            return super().build_train_loader(cfg)

    trainer = Trainer(cfg)
    trainer.close()
    assert trainer.data_loader.dataset.domains == ("cuhkSYSU",)
    assert trainer.model.heads.weight.shape[0] == trainer.data_loader.dataset.num_classes


def test_build_domain_loaders_decides_what_meta_steps_learn_from(acl_cfg):
    class Trainer(DefaultTrainer):
        @classmethod
        def build_domain_loaders(cls, cfg, train_set, *, pool=None):
            return super().build_domain_loaders(cfg, train_set, pool=pool)[::-1]

    trainer = Trainer(acl_cfg)
    firsts = [next(iter(loader))["domainids"][0] for loader in trainer.domain_loaders]
    trainer.close()
    assert firsts == [1, 0]


def test_build_test_loader_decides_what_is_tested_on(cfg):
    class Trainer(DefaultTrainer):
        @classmethod
        def build_test_loader(cls, cfg, dataset_name):
            assert dataset_name == "not registered"
            loader, num_query = super().build_test_loader(cfg, "Market1501")
            return loader, num_query - 1

    cfg.DATASETS.TESTS = ("not registered",)
    results = Trainer(cfg).train()
    assert list(results) == ["not registered"]
    assert results["not registered"]["mAP"] > 0


class Counting(DatasetEvaluator):
    """Counts images, and returns a single score."""

    def reset(self):
        self.count = 0

    def process(self, inputs, outputs):
        self.count += len(outputs)

    def evaluate(self):
        return {"images": self.count}


def test_build_evaluator_decides_how_features_are_scored(cfg, tmp_path):
    class Trainer(DefaultTrainer):
        @classmethod
        def build_evaluator(cls, cfg, dataset_name, output_dir=None):
            loader, num_query = cls.build_test_loader(cfg, dataset_name)
            assert 0 < num_query < len(loader.dataset)
            return loader, Counting()

    cfg.TEST.PLOTS = True
    assert Trainer(cfg).train()["Market1501"]["images"] > 0
    lines = (tmp_path / "metrics.json").read_text().splitlines()
    assert any("Market1501/images" in json.loads(line) for line in lines)
    # Scores without a "metric" choose no best checkpoint.
    assert {path.name for path in tmp_path.glob("*.ckpt")} == {"model_final.ckpt"}


def test_build_model_decides_what_is_trained(cfg):
    class Trainer(DefaultTrainer):
        @classmethod
        def build_model(cls, cfg):
            model = super().build_model(cfg)
            model.backbone.conv1 = Conv2d(3, 16, 1, stride=2)
            return model

    trainer = Trainer(cfg)
    trainer.train()
    assert trainer.model.backbone.conv1.weight.shape == (16, 3, 1, 1)


def test_build_optimizer_decides_what_moves_the_model(cfg):
    class Trainer(DefaultTrainer):
        @classmethod
        def build_optimizer(cls, cfg, model):
            cfg = cfg.clone()
            cfg.defrost()
            cfg.SOLVER.OPT = "SGD"
            return build_optimizer(cfg, model)

    assert cfg.SOLVER.OPT == "Adam"
    trainer = Trainer(cfg)
    trainer.train()
    assert isinstance(trainer.optimizer, SGD)
    assert trainer.checkpointer.checkpointables["optimizer"] is trainer.optimizer


def test_an_optimizer_that_would_move_frozen_parts_is_refused(cfg):
    class Trainer(DefaultTrainer):
        @classmethod
        def build_optimizer(cls, cfg, model):
            return build_optimizer(cfg, model)

    cfg.merge_from_list(["MODEL.FREEZE_LAYERS", "['backbone']", "SOLVER.FREEZE_ITERS", "1"])
    with pytest.raises(ValueError, match="FREEZE_ITERS needs two optimizers"):
        Trainer(cfg)


def test_build_meta_optimizer_decides_what_moves_the_model_in_meta_steps(acl_cfg):
    class Trainer(DefaultTrainer):
        @classmethod
        def build_meta_optimizer(cls, cfg, model):
            cfg = cfg.clone()
            cfg.defrost()
            cfg.SOLVER.BASE_LR = 0.125
            return super().build_meta_optimizer(cfg, model)

    trainer = Trainer(acl_cfg)
    trainer.close()
    steps = trainer.build_trainer()
    assert isinstance(steps, MetaTrainer)
    assert steps.meta_optimizer.base_lrs[0] == 0.125
    assert isinstance(trainer.optimizer, Adam)


class Constant:
    def rate(self, iteration, base_lr):
        return 0.25


def test_build_lr_scheduler_decides_the_learning_rates(cfg, tmp_path):
    class Trainer(DefaultTrainer):
        @classmethod
        def build_lr_scheduler(cls, cfg, optimizer, iters_per_epoch):
            assert isinstance(optimizer, nn.Cell)
            assert iters_per_epoch == 2
            return Constant()

    trainer = Trainer(cfg)
    trainer.train()
    assert isinstance(trainer.scheduler, Constant)
    first = json.loads((tmp_path / "metrics.json").read_text().splitlines()[0])
    assert first["lr"] == 0.25
    assert trainer.optimizer.learning_rates[0].value() == 0.25


def test_auto_scale_hyperparams_decides_the_settings_that_depend_on_the_data(cfg):
    class Trainer(DefaultTrainer):
        @staticmethod
        def auto_scale_hyperparams(cfg, num_classes):
            cfg = DefaultTrainer.auto_scale_hyperparams(cfg, num_classes).clone()
            cfg.defrost()
            cfg.MODEL.HEADS.NUM_CLASSES += 3
            cfg.freeze()
            return cfg

    trainer = Trainer(cfg)
    trainer.close()
    classes = trainer.data_loader.dataset.num_classes
    assert classes + 3 == trainer.cfg.MODEL.HEADS.NUM_CLASSES
    assert trainer.model.heads.weight.shape[0] == classes + 3


def test_build_hooks_and_build_writers_decide_what_happens_around_steps(cfg, tmp_path):
    class Writer(EventWriter):
        def write(self):
            written.append(trainer.storage.latest()["mine"])

    class Trainer(DefaultTrainer):
        def build_hooks(self):
            put = hooks.CallbackHook(after_step=lambda t: t.storage.put_scalar("mine", 7))
            return [put, *super().build_hooks()]

        def build_writers(self):
            return [Writer()]

    written = []
    trainer = Trainer(cfg)
    trainer.train()
    assert written[0] == (7, 0)
    assert not (tmp_path / "metrics.json").exists()


def test_hooks_put_together_as_fast_reids_users_do_resume_a_run(cfg):
    class Trainer(DefaultTrainer):
        def build_hooks(self):
            return [
                hooks.LRScheduler(self.optimizer, self.scheduler),
                hooks.EvalHook(0, lambda: self.test(self.cfg, self.model)),
                hooks.PeriodicCheckpointer(self.checkpointer, self.cfg.SOLVER.CHECKPOINT_PERIOD),
            ]

    trainer = Trainer(cfg)
    trainer.train()
    assert trainer.best_metric > 0
    cfg.SOLVER.STOP_ITERS = 2
    resumed = Trainer(cfg)
    resumed.resume_or_load(True)
    resumed.close()
    assert (resumed.start_iter, resumed.best_metric) == (1, trainer.best_metric)
    assert resumed.data_loader.position == 1


def test_test_decides_how_the_model_is_evaluated(cfg, tmp_path):
    class Trainer(DefaultTrainer):
        @classmethod
        def test(cls, cfg, model):
            return {"mine": {"metric": 12.5}}

    trainer = Trainer(cfg)
    assert trainer.train() == {"mine": {"metric": 12.5}}
    assert trainer.best_metric == 12.5
    assert (tmp_path / "model_best.ckpt").exists()
