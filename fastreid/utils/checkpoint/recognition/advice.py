"""The error message for weights that do not fit the model: what they are and which keys to set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..mgn_names import baseline_name
from .description import (
    BACKBONE_PREFIXES,
    Shapes,
    WeightsDescription,
    describe_weights,
    in_words,
    network_in_words,
)
from .families import family_setting

_SHOWN = 3
_LONGEST_NAME = 120
_CLASSIFIER = "heads.weight"
_ROUTER = "build_meta_dynamic_router_resnet_backbone"
_BUILT_DEPTHS = ("tiny", "18x", "34x", "50x", "101x")


def explain_misfit(have: Shapes, want: Shapes, faults: Mapping[str, Sequence[str]]) -> str:
    """Explain why weights do not fit a model and which settings to change.

    Args:
        have: shapes of the weights by PyTorch name.
        want: shapes of the model by PyTorch name.
        faults: PyTorch names by kind of fault: "missing", "unexpected", "of another shape".

    Returns:
        Sentences: first the description and the keys to set, then the first few names.
    """
    theirs, ours = describe_weights(have), describe_weights(want)
    sentences = [_compare(theirs, ours, has_wrong_classifier=_has_classifier(faults))]
    sentences += [_list_names(kind, names, have, want) for kind, names in faults.items() if names]
    return " ".join(filter(None, sentences))


def settings_for(theirs: WeightsDescription, ours: WeightsDescription) -> list[str]:
    """List the settings that build the model of the weights, if the toolbox has it.

    Args:
        theirs: description of the weights.
        ours: description of the model that the config builds.

    Returns:
        "KEY value" for every key that has to change; empty if the toolbox does not have the model.
    """
    if not theirs.blocks or not ours.blocks or theirs.is_grouped or theirs.ibn == "b":
        return []
    pairs: list[tuple[str, object, object]] = [
        ("MODEL.META_ARCHITECTURE", _architecture(theirs), _architecture(ours)),
        ("MODEL.BACKBONE.NAME", _backbone_name(theirs), _backbone_name(ours)),
        ("MODEL.BACKBONE.DEPTH", theirs.depth, ours.depth),
        ("MODEL.BACKBONE.FEAT_DIM", theirs.feat_dim, ours.feat_dim),
        ("MODEL.BACKBONE.WITH_IBN", bool(theirs.ibn), bool(ours.ibn)),
        ("MODEL.BACKBONE.WITH_SE", theirs.with_se, ours.with_se),
        ("MODEL.BACKBONE.WITH_NL", theirs.with_nl, ours.with_nl),
    ]
    if theirs.has_head and ours.has_head:
        power = "GeneralizedMeanPoolingP"
        pairs += [
            ("MODEL.HEADS.NAME", _head_name(theirs), _head_name(ours)),
            ("MODEL.HEADS.EMBEDDING_DIM", theirs.embedding_dim, ours.embedding_dim),
            ("MODEL.HEADS.WITH_BNNECK", "norm" in theirs.head_parts, "norm" in ours.head_parts),
            # A file without a learned power can be loaded into a model that has one.
            (
                "MODEL.HEADS.POOL_LAYER",
                power,
                power if ours.learns_power or not theirs.learns_power else "",
            ),
        ]
    return [f"{key} {value}" for key, value, own in pairs if value != own]


def _compare(
    theirs: WeightsDescription, ours: WeightsDescription, *, has_wrong_classifier: bool
) -> str:
    words = in_words(theirs)
    if not words:
        return "Use the configuration that the weights were trained with, or other weights."
    looks = f"It looks like {words}"
    if ours.is_backbone_alone:
        ours = _without_additions(ours, theirs)
    own_words = in_words(ours)
    both = f"{looks}; the config builds {own_words}" if own_words else looks
    if family_setting(theirs.family):
        return f"{both}. {_advise_family(theirs, ours)}"
    unsupported = _explain_unsupported(theirs)
    if unsupported:
        return f"{both}. {unsupported}"
    if ours.has_head and theirs.is_backbone_alone:
        others = settings_for(theirs, _without_additions(ours, theirs))
        return (
            f"{looks}, a backbone without a head: leave MODEL.WEIGHTS empty, and set "
            f"{', '.join(['MODEL.BACKBONE.PRETRAIN True', *others])} and "
            "MODEL.BACKBONE.PRETRAIN_PATH to this file."
        )
    if ours.is_backbone_alone and theirs.has_head:
        return (
            f"{looks}, a whole model: set MODEL.WEIGHTS to this file, and MODEL.BACKBONE.PRETRAIN "
            "False."
        )
    settings = settings_for(theirs, ours)
    if has_wrong_classifier and theirs.num_classes != ours.num_classes:
        settings.append(f"MODEL.HEADS.NUM_CLASSES {theirs.num_classes}")
    if settings:
        return f"{both}: set {', '.join(settings)}."
    return f"{both}. No setting explains the difference: the file may be incomplete or modified."


def _advise_family(theirs: WeightsDescription, ours: WeightsDescription) -> str:
    """Name the keys for weights of a family whose sizes are not recognized."""
    if ours.has_head and not theirs.has_head:
        return (
            "It is a backbone without a head: leave MODEL.WEIGHTS empty, and set "
            "MODEL.BACKBONE.PRETRAIN True and MODEL.BACKBONE.PRETRAIN_PATH to this file."
        )
    options = "MODEL.BACKBONE.DEPTH, FEAT_DIM and WITH_IBN to those of the weights"
    if theirs.family == ours.family:
        return f"Set {options}."
    return f"Set {family_setting(theirs.family)}, and {options}."


def _without_additions(ours: WeightsDescription, theirs: WeightsDescription) -> WeightsDescription:
    """Remove from a model's description the parts that published weights may lack.

    ACL's backbone can be initialized from ImageNet weights; squeeze and excitation and non-local
    blocks are initialized randomly if the weights lack them.
    """
    return ours._replace(
        is_router=theirs.is_router,
        with_se=ours.with_se and theirs.with_se,
        with_nl=ours.with_nl and theirs.with_nl,
    )


def _explain_unsupported(theirs: WeightsDescription) -> str:
    """Explain why this toolbox cannot build a model for the weights; "" if it can."""
    if not theirs.blocks or theirs.is_grouped or theirs.depth not in _BUILT_DEPTHS:
        return f"This toolbox does not build {network_in_words(theirs)}."
    if theirs.prefix not in BACKBONE_PREFIXES:
        return "Rename its tensors to the names of fast-reid, backbone.* and heads.*."
    if theirs.ibn == "b":
        return "This toolbox builds IBN-a, not IBN-b."
    if "second norm" in theirs.head_parts:
        return (
            "Its head is the ReductionHead of fast-reid 0.1 (convolution, norm, LeakyReLU, norm), "
            "which later releases and this toolbox do not have."
        )
    return ""


def _has_classifier(faults: Mapping[str, Sequence[str]]) -> bool:
    names = (name for kind in faults.values() for name in kind)
    return any(baseline_name(name) == _CLASSIFIER for name in names)


def _architecture(about: WeightsDescription) -> str:
    # ACL's own architecture has the same tensors as a Baseline.
    return "MGN" if about.is_mgn else "Baseline"


def _backbone_name(about: WeightsDescription) -> str:
    return _ROUTER if about.is_router else "build_resnet_backbone"


def _head_name(about: WeightsDescription) -> str:
    return "MetaEmbeddingHead" if about.is_router else "EmbeddingHead"


def _list_names(kind: str, names: Sequence[str], have: Shapes, want: Shapes) -> str:
    shown = [name[:_LONGEST_NAME] for name in names[:_SHOWN]]
    if kind == "of another shape":
        shown = [f"{k} {have[k]}, the model has {want[k]}" for k in names[:_SHOWN]]
    end = "; ..." if len(names) > _SHOWN else "."
    return f"{len(names)} {kind}: {'; '.join(shown)}{end}"
