"""`build_trainer` for models of a user's own."""

import pytest

from fastreid.config import get_cfg
from fastreid.engine import MetaTrainer, SimpleTrainer
from fastreid.engine.build import build_trainer
from test.engine.toy import PowerLosses, ToyMetaModel, ToyModel


class PlainModel(ToyModel):
    def criterion(self):
        return PowerLosses()


class PhaseModel(ToyMetaModel):
    """Has the interface of release 0.1: a phase for the losses, and no declarations."""

    def criterion(self, phase):
        return PowerLosses()


@pytest.mark.parametrize(
    ("model", "period", "kind"),
    [(PlainModel, 0, SimpleTrainer), (PhaseModel, 0, SimpleTrainer), (PhaseModel, 2, MetaTrainer)],
)
def test_a_model_without_declarations_is_trained_as_the_period_says(model, period, kind):
    cfg = get_cfg()
    cfg.SOLVER.META.PERIOD = period
    assert type(build_trainer(cfg, model(), [], domain_loaders=[[], []][:period])) is kind
