import pytest

from fastreid.modeling import build_model
from fastreid.utils.checkpoint.mgn_names import baseline_name, is_mgn
from fastreid.utils.checkpoint.names import export_weights
from test.modeling.meta_arch.mgn_models import mgn_config, small_mgn


def test_each_branch_with_the_trunk_has_the_tensors_of_a_baseline():
    baseline = export_weights(build_model(mgn_config("MODEL.META_ARCHITECTURE", "Baseline")))
    want = {name: value.shape for name, value in baseline.items()}
    shapes = {name: value.shape for name, value in export_weights(small_mgn()).items()}
    for branch in ("b1", "b2", "b3"):
        own = {
            baseline_name(name): shape
            for name, shape in shapes.items()
            if name.startswith(("backbone.", f"{branch}.", f"{branch}_head."))
        }
        assert own == want


@pytest.mark.parametrize(
    ("name", "counterpart"),
    [
        ("backbone.0.weight", "backbone.conv1.weight"),
        ("backbone.6.bn1.IN.weight", "backbone.layer3.0.bn1.IN.weight"),
        ("b3.0.21.conv1.weight", "backbone.layer3.22.conv1.weight"),
        ("b2.1.0.downsample.1.bias", "backbone.layer4.0.downsample.1.bias"),
        ("b33_head.bottleneck.1.bias", "heads.bottleneck.1.bias"),
        ("backbone.layer1.0.conv1.weight", "backbone.layer1.0.conv1.weight"),
        ("heads.weight", "heads.weight"),
    ],
)
def test_names_become_those_of_a_baseline(name, counterpart):
    assert baseline_name(name) == counterpart


def test_an_mgn_is_recognized_by_its_heads():
    assert is_mgn(["b1_head.weight"])
    assert not is_mgn(["heads.weight", "b1.0.0.conv1.weight"])
