"""Mixed precision and recomputation of the architectures, in graph mode."""

import pytest

from fastreid.modeling import build_model
from test.modeling.meta_arch.distill_models import (
    DISTILLER,
    EMA,
    OVERHAUL,
    STAGES,
    config,
    write_teacher,
)
from test.modeling.meta_arch.mgn_models import WORDS as MGN
from test.modeling.training_pass import (
    HALF_ROUNDING,
    SINGLE_CHANGE,
    Trained,
    assert_near_as_rounding,
    assert_same,
)

DISTILLERS = {"Distiller": (*STAGES, *DISTILLER), "DistillerOverhaul": (*STAGES, *OVERHAUL)}


@pytest.fixture(scope="module", params=["MGN", *DISTILLERS])
def words(request, tmp_path_factory):
    """The configuration of an architecture; a distiller has a trained teacher."""
    if request.param == "MGN":
        return MGN
    teacher = write_teacher(tmp_path_factory.mktemp("teacher"), *STAGES)
    return (*DISTILLERS[request.param], *teacher, "INPUT.SIZE_TRAIN", [64, 32])


@pytest.fixture(scope="module")
def passes(words):
    """The usual pass, and those with weights that are changed a little."""
    trained = Trained(config(*words))
    return trained.run(), trained.changed_passes(SINGLE_CHANGE)


@pytest.mark.slow
@pytest.mark.zoo
def test_recomputation_changes_no_number(words, passes):
    assert_same(Trained(config(*words, "MODEL.RECOMPUTE", True)).run(), *passes)


@pytest.mark.slow
@pytest.mark.zoo
def test_half_precision_trains_near_single_precision(words, passes):
    half = Trained(config(*words), half=True).run()
    rounded = Trained(config(*words), rounds=True).changed_passes(HALF_ROUNDING)
    assert_near_as_rounding(half, passes[0], rounded)


@pytest.mark.parametrize("architecture", [DISTILLER, OVERHAUL], ids=lambda words: words[1])
def test_a_moving_teacher_of_a_recomputed_student_is_refused(architecture):
    words = (*STAGES, *architecture, *EMA, "MODEL.RECOMPUTE", True)
    with pytest.raises(ValueError, match=r"KD\.EMA\.ENABLED and MODEL\.RECOMPUTE cannot both be"):
        build_model(config(*words))
