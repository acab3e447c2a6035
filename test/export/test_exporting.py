"""What `export_model` writes, and what it refuses."""

import json

import mindspore as ms
import numpy as np
import onnx
import onnxruntime
import pytest
from mindspore import Tensor, nn, ops
from mindspore.train import mind_ir_pb2
from onnx import numpy_helper

from fastreid.deploy import Embedder, ModelInfo
from fastreid.engine import DefaultPredictor
from fastreid.export import ExportOptions, export_model, exporting
from fastreid.export.check import describe_difference
from fastreid.modeling import BACKBONE_REGISTRY

from .models import SMALL, images, saved_model

SIZE = (64, 32)
# Sums of a few hundred float32 numbers, in another order.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def cfg(tmp_path_factory):
    return saved_model(tmp_path_factory.mktemp("weights"), *SMALL)


@pytest.fixture(scope="module")
def expected(cfg):
    """The model's features of five images."""
    return DefaultPredictor(cfg)(images(5))


@pytest.fixture(scope="module")
def raw(cfg, tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "model.onnx"
    export_model(cfg, path)
    return path


def unit(features):
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def test_the_file_gives_the_features_of_the_model_for_any_number_of_images(raw, expected):
    for number in (1, 2, 5):
        np.testing.assert_allclose(Embedder(raw)(images(5)[:number]), expected[:number], **CLOSE)


def test_normalized_input_gives_the_same_features(cfg, expected, tmp_path):
    export_model(cfg, tmp_path / "model.onnx", ExportOptions("normalized"))
    embed = Embedder(tmp_path / "model.onnx")
    assert embed.info.input == "normalized"
    assert embed.info.mean == (0.485, 0.456, 0.406)
    assert embed.info.std == (0.229, 0.224, 0.225)
    np.testing.assert_allclose(embed(images(5)), expected, **CLOSE)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    mean, std = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]
    standardized = ((images(5) / 255 - mean) / std).astype(np.float32)
    (features,) = session.run(None, {"images": standardized})
    np.testing.assert_allclose(features, expected, **CLOSE)


def test_a_model_with_another_mean_takes_normalized_images_too(tmp_path):
    other = ("MODEL.PIXEL_MEAN", "[127.5, 100.0, 20.0]", "MODEL.PIXEL_STD", "[127.5, 60.0, 1.0]")
    cfg = saved_model(tmp_path, *SMALL, *other)
    export_model(cfg, tmp_path / "model.onnx", ExportOptions("normalized"))
    found = Embedder(tmp_path / "model.onnx")(images(5))
    np.testing.assert_allclose(found, DefaultPredictor(cfg)(images(5)), rtol=1e-4, atol=1e-3)


def test_features_of_unit_length(cfg, expected, tmp_path):
    export_model(cfg, tmp_path / "model.onnx", ExportOptions(unit_length=True))
    embed = Embedder(tmp_path / "model.onnx")
    assert embed.info.unit_length
    np.testing.assert_allclose(embed(images(5)), unit(expected), **CLOSE)


def test_half_precision_halves_the_file_and_says_its_error(cfg, raw, expected, tmp_path):
    comparison = export_model(cfg, tmp_path / "model.onnx", ExportOptions(half=True))
    assert 1e-6 < comparison.error < 1e-2
    embed = Embedder(tmp_path / "model.onnx")
    assert embed.info.precision == "float16"
    found = embed(images(5))
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-2 * np.abs(expected).max()
    weights = onnx.load(str(tmp_path / "model.onnx")).graph.initializer
    halves = [each for each in weights if each.data_type == onnx.TensorProto.FLOAT16]
    assert sum(len(each.raw_data) for each in halves) > 0
    assert {"backbone.conv1.weight", "backbone.conv2.weight"} <= {each.name for each in halves}


def test_a_mindir_file_comes_back_with_its_description(cfg, expected, tmp_path):
    path = tmp_path / "model.mindir"
    assert export_model(cfg, path).error <= 1e-4
    network = nn.GraphCell(ms.load(str(path)))
    for number in (5, 2):
        found = network(Tensor(images(5)[:number])).asnumpy()
        np.testing.assert_allclose(found, expected[:number], **CLOSE)
    proto = mind_ir_pb2.ModelProto()
    proto.ParseFromString(path.read_bytes())
    metadata = {entry.key: entry.value for entry in proto.user_info}
    assert ModelInfo.from_metadata(metadata, str(path)).size == SIZE


def test_the_file_describes_the_model(cfg, raw):
    model = onnx.load(str(raw))
    onnx.checker.check_model(model, full_check=True)
    assert [each.version for each in model.opset_import] == [17]
    (given,), (result,) = model.graph.input, model.graph.output
    sizes = [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim]
    assert (given.name, sizes) == ("images", ["batch", 3, 64, 32])
    sizes = [d.dim_param or d.dim_value for d in result.type.tensor_type.shape.dim]
    assert (result.name, sizes) == ("features", ["batch", 16])
    (entry,) = model.metadata_props
    info = json.loads(entry.value)
    assert entry.key == "fastreid"
    assert (info["resize"], info["crop"], info["dimension"]) == ([64, 32], None, 16)
    assert (info["distance"], info["precision"]) == (cfg.TEST.METRIC, "float32")
    assert info["weights"] == cfg.MODEL.WEIGHTS.rpartition("/")[2]
    assert len(info["weights_sha256"]) == 64
    assert info["mean"] is info["std"] is None
    assert "build_two_convolutions" in info["config"]


def test_nodes_and_weights_have_the_names_of_the_layers(raw):
    graph = onnx.load(str(raw)).graph
    names = {each.name for each in graph.initializer}
    assert {"backbone.conv1.weight", "backbone.bn1.running_mean"} <= names
    nodes = {node.name for node in graph.node}
    assert {"backbone.conv2.conv2d.Conv", "backbone.bn2.BatchNormalization"} <= nodes


def test_the_hash_is_that_of_the_weights(cfg, raw, tmp_path):
    other = saved_model(tmp_path, *SMALL, "MODEL.HEADS.WITH_BNNECK", "False")
    hashes = []
    for each, name in ((cfg, "a"), (other, "b")):
        export_model(each, tmp_path / f"{name}.onnx", ExportOptions("normalized"))
        hashes.append(Embedder(tmp_path / f"{name}.onnx").info.weights_sha256)
    assert hashes[0] == Embedder(raw).info.weights_sha256 != hashes[1]


def test_a_centre_crop_is_described_and_applied(tmp_path):
    crop = ("INPUT.CROP.ENABLED", "True", "INPUT.CROP.SIZE", "[48, 24]")
    cfg = saved_model(tmp_path, *SMALL, *crop)
    export_model(cfg, tmp_path / "model.onnx")
    embed = Embedder(tmp_path / "model.onnx")
    assert (embed.info.resize, embed.info.crop) == (SIZE, (48, 24))
    picture = np.random.RandomState(5).randint(0, 256, (90, 41, 3)).astype(np.uint8)
    expected = DefaultPredictor(cfg)(picture)
    np.testing.assert_allclose(embed(picture), expected, **CLOSE)


def test_names_of_files_are_checked_first(cfg, tmp_path):
    with pytest.raises(ValueError, match=r"m.pb, must end with .mindir or .onnx"):
        export_model(cfg, tmp_path / "m.pb")
    with pytest.raises(ValueError, match=r"input is 'cooked'.*'raw', 'normalized'"):
        export_model(cfg, tmp_path / "m.onnx", ExportOptions("cooked"))
    with pytest.raises(ValueError, match=r"float16 can be written to .onnx files only"):
        export_model(cfg, tmp_path / "m.mindir", ExportOptions(half=True))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("TRANSFORMS_TEST", ["Mirror"], r"\['Mirror'\] are Python code"),
        ("SIZE_TEST", [0], r"INPUT.SIZE_TEST is \[0\]; .* one height and width"),
    ],
)
def test_settings_that_no_file_can_hold_are_refused(cfg, tmp_path, key, value, message):
    changed = cfg.clone()
    changed.defrost()
    setattr(changed.INPUT, key, value)
    with pytest.raises(ValueError, match=message):
        export_model(changed, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_model_without_finite_features_is_refused(tmp_path):
    cfg = saved_model(tmp_path, *SMALL, "MODEL.PIXEL_STD", "[1e-38, 1.0, 1.0]")
    message = rf"The features of MODEL.WEIGHTS {cfg.MODEL.WEIGHTS} are not finite"
    with pytest.raises(ValueError, match=message):
        export_model(cfg, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_weights_of_another_model_are_refused(cfg, tmp_path):
    changed = cfg.clone()
    changed.defrost()
    changed.merge_from_list(["MODEL.BACKBONE.NAME", "build_one_bottleneck_stage"])
    changed.MODEL.BACKBONE.FEAT_DIM = 64
    with pytest.raises(ValueError, match="backbone"):
        export_model(changed, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "layer"),
    [("conv1.weight", "conv1"), ("bn2.running_var", "bn2")],
)
def test_a_file_that_computes_something_else_is_not_written(
    cfg, tmp_path, monkeypatch, name, layer
):
    right = exporting.mindir_to_onnx

    def wrong(path):
        model = right(path)
        (weight,) = [each for each in model.graph.initializer if each.name.endswith(name)]
        values = 1.2 * numpy_helper.to_array(weight)
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
        return model

    monkeypatch.setattr(exporting, "mindir_to_onnx", wrong)
    (tmp_path / "model.onnx").write_text("the previous file")
    message = rf"computes other features .*first layer that differs \(by .*\) is backbone.{layer}\."
    with pytest.raises(ValueError, match=message):
        export_model(cfg, tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_text() == "the previous file"


@pytest.mark.parametrize("suffix", [".onnx", ".mindir"])
def test_a_file_of_other_weights_is_not_written(cfg, tmp_path, monkeypatch, suffix):
    export = ms.export

    def other_weights(network, *args, **options):
        (weight,) = [p for p in network.get_parameters() if p.name.endswith("conv2.weight")]
        right = weight.asnumpy().copy()
        weight.set_data(Tensor(1.2 * right))
        export(network, *args, **options)
        weight.set_data(Tensor(right))

    monkeypatch.setattr(ms, "export", other_weights)
    message = r"computes other features .*first layer that differs \(by 2.*\) is backbone.conv2\."
    with pytest.raises(ValueError, match=message):
        export_model(cfg, tmp_path / f"model{suffix}")
    assert not list(tmp_path.iterdir())


def test_a_difference_of_no_single_layer_is_told_with_the_largest(cfg, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "TOLERANCE", 0.0)
    monkeypatch.setattr(exporting, "describe_difference", _with_tolerance(1.0))
    message = (
        r"No layer differs by more than 1e\+00; (backbone|heads)\.[\w.]+ differs most, by \d\.\de-0"
    )
    with pytest.raises(ValueError, match=message):
        export_model(cfg, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def _with_tolerance(tolerance):
    return lambda network, model, images, _: describe_difference(network, model, images, tolerance)


class Bent(nn.Cell):
    """A backbone with an operator that no translation knows."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 4)
        self.bend = Bend()

    def construct(self, x):
        return self.bend(self.conv(x))


class Bend(nn.Cell):
    def construct(self, x):
        return ops.atan(x)


def test_an_operator_without_translation_is_named_with_its_cell(tmp_path, own_registries):
    BACKBONE_REGISTRY.register(lambda cfg: Bent(), name="build_bent")
    cfg = saved_model(tmp_path, *SMALL, "MODEL.BACKBONE.NAME", "build_bent")
    message = r"Atan of backbone.bend has no translation to ONNX.*fastreid/export/operators"
    with pytest.raises(ValueError, match=message):
        export_model(cfg, tmp_path / "model.onnx")
    assert not list(tmp_path.glob("*model.onnx*"))


class Counting(nn.Cell):
    """A backbone that needs to know how many images there are."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 4)

    def construct(self, x):
        return self.conv(x) * min(x.shape[0], 3)


def test_a_network_for_a_fixed_number_of_images_is_refused(tmp_path, own_registries, monkeypatch):
    # MindSpore writes what it has analysed into the working directory.
    monkeypatch.chdir(tmp_path)
    BACKBONE_REGISTRY.register(lambda cfg: Counting(), name="build_counting")
    cfg = saved_model(tmp_path, *SMALL, "MODEL.BACKBONE.NAME", "build_counting")
    message = r"MindSpore cannot export this network for any number of images: .*min\(data\)"
    with pytest.raises(ValueError, match=message):
        export_model(cfg, tmp_path / "model.onnx")
    assert not list(tmp_path.glob("*model.onnx*"))
    # MindSpore exports with a stricter syntax; later graphs are compiled with the usual one.
    assert ms.get_context("jit_syntax_level") == ms.LAX
