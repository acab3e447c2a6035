import pytest

from fastreid.config import configurable, get_cfg


class Part:
    """What a class of this library looks like."""

    @configurable
    def __init__(self, *, rate, name="none", extra=0):
        self.rate, self.name, self.extra = rate, name, extra

    @classmethod
    def from_config(cls, cfg, extra=1):
        return {"rate": cfg.SOLVER.BASE_LR, "extra": 10 * extra}


class SpecialPart(Part):
    @classmethod
    def from_config(cls, cfg):
        return {"rate": 2 * cfg.SOLVER.BASE_LR}


def rate_of(cfg):
    return {"rate": cfg.SOLVER.BASE_LR}


@configurable(from_config=rate_of)
def twice(*, rate, plus=0):
    """Double it."""
    return 2 * rate + plus


@pytest.fixture
def cfg():
    cfg = get_cfg()
    cfg.SOLVER.BASE_LR = 0.25
    return cfg


def test_a_class_takes_its_arguments_as_they_are():
    part = Part(rate=1, name="a")
    assert (part.rate, part.name, part.extra) == (1, "a", 0)


@pytest.mark.parametrize("by_name", [False, True])
def test_a_class_takes_a_config(cfg, by_name):
    part = Part(cfg=cfg) if by_name else Part(cfg)
    assert (part.rate, part.name, part.extra) == (0.25, "none", 10)


def test_arguments_beside_the_config_win(cfg):
    assert Part(cfg, name="b", rate=3).rate == 3
    assert Part(cfg, name="b").name == "b"


def test_arguments_that_from_config_accepts_are_passed_to_it(cfg):
    assert Part(cfg, extra=4).extra == 40


def test_a_subclass_uses_its_own_from_config(cfg):
    assert SpecialPart(cfg).rate == 0.5


def test_a_function_takes_arguments_or_a_config(cfg):
    assert twice(rate=1) == 2
    assert twice(cfg) == 0.5
    assert twice(cfg, plus=1) == 1.5
    assert twice.__name__ == "twice"
    assert twice.__doc__ == "Double it."


def test_a_function_needs_its_from_config():
    with pytest.raises(TypeError, match=r"configurable needs from_config=\.\.\. when it decorates"):
        configurable()
