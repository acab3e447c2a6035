"""Files of weights of MGNs, as fast-reid wrote them, loaded into a model."""

import numpy as np
import pytest

from fastreid.modeling import build_model, classifier_prefixes
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint.names import export_weights
from fastreid.utils.checkpoint.release_names import to_release_names
from fastreid.utils.checkpoint.weights_file import write_weights
from test.modeling.meta_arch.mgn_models import mgn_config, small_mgn


@pytest.fixture(scope="module")
def weights():
    rng = np.random.RandomState(0)
    start = export_weights(small_mgn())
    return {name: rng.rand(*value.shape).astype(np.float32) for name, value in start.items()}


LAYOUTS = {
    "today's": dict,
    "1.0, of several devices": lambda weights: {
        f"module.{name}": value for name, value in to_release_names(weights, "1.0").items()
    },
    "0.1.1's necks": lambda weights: to_release_names(weights, "0.1.1"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_are_loaded_strictly_with_another_number_of_classes(tmp_path, weights, layout):
    path = tmp_path / "mgn.pth"
    write_weights(path, LAYOUTS[layout](weights))
    model = small_mgn("MODEL.HEADS.NUM_CLASSES", 0)
    Checkpointer(model).load(path, ignore=classifier_prefixes(model), weights_only=True)
    loaded = export_weights(model)
    assert weights.keys() - loaded.keys() == {
        name for name in weights if name.endswith("_head.weight")
    }
    for name, value in loaded.items():
        np.testing.assert_array_equal(value, weights[name])


def test_weights_of_an_mgn_name_the_keys_for_it(tmp_path, weights):
    path = tmp_path / "mgn.pth"
    write_weights(path, weights)
    words = ("MODEL.META_ARCHITECTURE", "Baseline", "MODEL.BACKBONE.WITH_IBN", False)
    model = build_model(mgn_config(*words))
    message = "an MGN of fast-reid on a ResNet-tiny-IBN, .*: set MODEL.META_ARCHITECTURE MGN, MODEL"
    with pytest.raises(ValueError, match=f"{message}.BACKBONE.WITH_IBN True"):
        Checkpointer(model).load(path, ignore=classifier_prefixes(model), weights_only=True)
