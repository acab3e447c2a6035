import pytest

from fastreid.utils.checkpoint.recognition.advice import explain_misfit, settings_for
from fastreid.utils.checkpoint.recognition.description import describe_weights
from fastreid.utils.checkpoint.recognition.families import register_family
from test.utils.checkpoint.shape_tables import fastreid_model, head, mgn, resnet

PLAIN = fastreid_model(classes=0)


@pytest.fixture(autouse=True)
def only_resnets(monkeypatch):
    """Only ResNets and ResNeXts are built, whatever backbones other tests have imported."""
    settings = {"a ResNeXt": "MODEL.BACKBONE.NAME build_resnext_backbone"}
    monkeypatch.setattr("fastreid.utils.checkpoint.recognition.families._SETTINGS", settings)


def misfit(have, want=PLAIN):
    return explain_misfit(have, want, {"missing": sorted(want.keys() - have.keys())})


# Weights that do not fit PLAIN's configuration, and the settings that make them fit.
SETTINGS = {
    "ibn": (fastreid_model(ibn=True), ["MODEL.BACKBONE.WITH_IBN True"]),
    "se and non-local": (
        fastreid_model(se=True, non_local=(0, 2, 3, 0)),
        ["MODEL.BACKBONE.WITH_SE True", "MODEL.BACKBONE.WITH_NL True"],
    ),
    "101": (fastreid_model(blocks=(3, 4, 23, 3)), ["MODEL.BACKBONE.DEPTH 101x"]),
    "34": (
        fastreid_model(basic=True, width=512),
        ["MODEL.BACKBONE.DEPTH 34x", "MODEL.BACKBONE.FEAT_DIM 512"],
    ),
    "embedding": (fastreid_model(embedding=512), ["MODEL.HEADS.EMBEDDING_DIM 512"]),
    "no norm": (fastreid_model(norm=False), ["MODEL.HEADS.WITH_BNNECK False"]),
    "power": (fastreid_model(power=True), ["MODEL.HEADS.POOL_LAYER GeneralizedMeanPoolingP"]),
    "MGN": (
        mgn(embedding=256),
        ["MODEL.META_ARCHITECTURE MGN", "MODEL.HEADS.EMBEDDING_DIM 256"],
    ),
    "router": (
        {**fastreid_model(blocks=(2, 3, 5, 2)), "backbone.adaptor1_base.conv1.weight": (1,)},
        [
            "MODEL.BACKBONE.NAME build_meta_dynamic_router_resnet_backbone",
            "MODEL.HEADS.NAME MetaEmbeddingHead",
        ],
    ),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_the_keys_that_differ_are_named_with_the_values_of_the_weights(case):
    have, settings = SETTINGS[case]
    assert settings_for(describe_weights(have), describe_weights(PLAIN)) == settings
    assert f": set {', '.join(settings)}." in misfit(have)


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_in_the_other_direction_have_the_other_values(case):
    have, settings = SETTINGS[case]
    back = settings_for(describe_weights(PLAIN), describe_weights(have))
    keys = [setting.split()[0] for setting in settings]
    # A file without a learned power can be loaded into a model that has one.
    assert [setting.split()[0] for setting in back] == [] if case == "power" else keys


def test_a_message_begins_with_the_description_and_ends_with_a_few_names():
    message = misfit(fastreid_model(), fastreid_model(ibn=True, classes=0))
    start = (
        "It looks like a ResNet50 of fast-reid, 751 classes; the config builds a ResNet50-IBN of "
        "fast-reid: set MODEL.BACKBONE.WITH_IBN False. 78 missing: "
    )
    assert message.startswith(start)
    assert message[len(start) :].split("; ")[0] == "backbone.layer1.0.bn1.BN.bias"
    assert message.endswith("; ...")
    assert len(message) < 350


def test_a_different_number_of_classes_is_the_only_setting():
    have, want = fastreid_model(classes=751), fastreid_model(classes=702)
    message = explain_misfit(have, want, {"of another shape": ["heads.weight"]})
    assert "set MODEL.HEADS.NUM_CLASSES 751." in message
    assert message.endswith("heads.weight (751, 2048), the model has (702, 2048).")


def test_the_classes_of_an_mgn_are_those_of_each_of_its_heads():
    message = explain_misfit(mgn(), mgn(classes=702), {"of another shape": ["b21_head.weight"]})
    assert "set MODEL.HEADS.NUM_CLASSES 751." in message


REDUCTION = {**fastreid_model(embedding=8), "heads.bnneck.running_mean": (8,)}
# Weights that fit no configuration, and the reason.
OBSTACLES = {
    "OSNet": (
        {"backbone.conv2.0.conv2a.conv1.weight": (1,), **head(512)},
        "This toolbox does not build an OSNet.",
    ),
    "MGN": (
        {"b1_pool.1.weight": (256, 2048, 1, 1), "b1_head.weight": (751, 256)},
        "This toolbox does not build an MGN of fast-reid 0.1.",
    ),
    "ResNeXt": (fastreid_model(groups=32), "Set MODEL.BACKBONE.NAME build_resnext_backbone, and"),
    "152": (fastreid_model(blocks=(3, 8, 36, 3)), "This toolbox does not build a ResNet152."),
    "other names": (
        resnet(prefix="base."),
        "Rename its tensors to the names of fast-reid, backbone.* and heads.*.",
    ),
    "IBN-b": (
        {**PLAIN, "backbone.layer1.2.IN.weight": (1,)},
        "This toolbox builds IBN-a, not IBN-b.",
    ),
    "ReductionHead": (
        {**REDUCTION, "heads.bnneck.weight": (8,)},
        "Its head is the ReductionHead of fast-reid 0.1",
    ),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_models_that_no_configuration_builds_are_reported(case):
    have, reason = OBSTACLES[case]
    message = misfit(have)
    assert reason in message
    assert ": set " not in message


def test_weights_of_imagenet_point_to_pretrain_path():
    message = misfit({**resnet(), "fc.weight": (1000, 2048)})
    assert message.startswith(
        "It looks like a ResNet50, 1000 classes, a backbone without a head: leave MODEL.WEIGHTS "
        "empty, and set MODEL.BACKBONE.PRETRAIN True and MODEL.BACKBONE.PRETRAIN_PATH to this file."
    )


def test_weights_of_imagenet_of_another_network_name_its_settings_too():
    want = {**fastreid_model(se=True), "backbone.adaptor1_base.conv1.weight": (1,)}
    message = misfit(resnet((3, 4, 23, 3), ibn=True), want)
    assert (
        "set MODEL.BACKBONE.PRETRAIN True, MODEL.BACKBONE.DEPTH 101x, MODEL.BACKBONE.WITH_IBN "
        "True and MODEL.BACKBONE.PRETRAIN_PATH to this file."
    ) in message


def test_a_whole_model_in_place_of_a_backbone_points_to_weights():
    assert "a whole model: set MODEL.WEIGHTS to this file" in misfit(fastreid_model(), resnet())


def test_published_weights_may_lack_randomly_initialized_parts():
    router = {**resnet((2, 3, 5, 2), ibn=True, se=True), "adaptor1_base.conv1.weight": (1,)}
    message = misfit(resnet(), router)
    assert "set MODEL.BACKBONE.WITH_IBN False." in message


def test_unknown_weights_ask_for_their_configuration():
    message = explain_misfit({"a": (1,)}, {"b": (1,)}, {"missing": ["b"], "unexpected": ["a"]})
    assert message == (
        "Use the configuration that the weights were trained with, or other weights. 1 missing: b. "
        "1 unexpected: a."
    )


def test_no_settings_are_proposed_for_an_incomplete_file():
    have = {name: shape for name, shape in PLAIN.items() if name != "backbone.bn1.weight"}
    assert misfit(have).endswith(
        "No setting explains the difference: the file may be incomplete or modified. "
        "1 missing: backbone.bn1.weight."
    )


OSNET = {"backbone.conv2.0.conv2a.conv1.weight": (1,)}


@pytest.mark.parametrize(
    ("have", "want", "advice"),
    [
        ({**OSNET, **head(512)}, {**PLAIN, **head(2048)}, "Set MODEL.BACKBONE.NAME build_osnet_"),
        ({**OSNET, **head(512)}, {**OSNET, **head(256)}, "Set MODEL.BACKBONE.DEPTH, FEAT_DIM and"),
        (OSNET, {**OSNET, **head(512)}, "It is a backbone without a head: leave MODEL.WEIGHTS"),
    ],
    ids=["other network", "other size", "no head"],
)
def test_a_family_that_is_built_names_the_keys(have, want, advice):
    assert "This toolbox does not build an OSNet." in explain_misfit(have, want, {})
    register_family("an OSNet", "MODEL.BACKBONE.NAME build_osnet_backbone")
    message = explain_misfit(have, want, {})
    assert message.startswith("It looks like an OSNet")
    assert f". {advice}" in message
    assert "does not build" not in message
