import pytest

from fastreid.engine.freezing import FrozenLayers
from test.engine.toy import ToyModel, ToyNormModel


def frozen(model, *patterns):
    layers = FrozenLayers(model, patterns)
    names = {parameter.name for parameter in model.get_parameters() if layers.has(parameter)}
    return names, layers.parts


def test_the_name_of_a_part_freezes_that_part():
    assert frozen(ToyModel(), "backbone") == ({"backbone.weight"}, ("backbone",))


def test_a_part_does_not_freeze_others_whose_names_begin_alike():
    model = ToyModel()
    model.heads_of_b = ToyModel()
    assert frozen(model, "heads") == ({"heads.weight"}, ("heads",))


def test_patterns_match_from_the_beginning_of_pytorch_names():
    names, parts = frozen(ToyNormModel(), r"backbone\.1\.(weight|running)")
    assert parts == ()
    assert names == {
        "backbone.1.gamma",
        "backbone.1.moving_mean",
        "backbone.1.moving_variance",
    }
    with pytest.raises(ValueError, match="names 'bone', which the model does not have"):
        FrozenLayers(ToyModel(), ["bone"])


def test_a_pattern_that_is_no_regular_expression_is_named():
    with pytest.raises(ValueError, match=r"FREEZE_LAYERS: '\(' is not a regular expression"):
        FrozenLayers(ToyModel(), ["("])
