"""How the YAML files of ACL-DGReID become explicit settings.

The original's files select ACL by a pair of names, ``MODEL.META_ARCHITECTURE: Baseline`` with
``MODEL.HEADS.NAME: MetaEmbeddingHead``, and its code derives further decisions from them. Only
`explicit_settings` reads this pair: it turns each decision into the value of a key. Models, data,
solver and engine read those keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .cfg_node import CfgNode
from .rules import checked_value

_AUTO = "auto"


class _Choice(NamedTuple):
    """The value that "auto" stands for."""

    acl: str
    plain: str


_AUTO_KEYS: Mapping[str, _Choice] = {
    "MODEL.HEADS.CLASSIFIERS": _Choice(acl="per_domain", plain="joint"),
    "SOLVER.WARMUP_UNIT": _Choice(acl="epoch", plain="iteration"),
    "SOLVER.STEPS_FROM": _Choice(acl="start", plain="warmup"),
}
# The original applies colour jitter to the view that it trains on, for any CJ.ENABLED. The other
# three transforms change a second view, which it does not use.
_SET_BY_ACL: Mapping[str, Any] = {
    "INPUT.CJ.ENABLED": True,
    "INPUT.AFFINE.ENABLED": False,
    "INPUT.AUGMIX.ENABLED": False,
    "INPUT.RPT.ENABLED": False,
}
# Plain models take no meta steps.
_SET_BY_PLAIN: Mapping[str, Any] = {"SOLVER.META.PERIOD": 0}


def explicit_config(cfg: CfgNode) -> CfgNode:
    """Write every decision that the recipe implies into its key.

    All public builders call this first. A second call changes nothing.

    Args:
        cfg: the whole configuration, frozen or not; it is left as it is.

    Returns:
        A frozen configuration, or `cfg` itself where nothing is to be changed.

    Raises:
        ValueError: for an unknown value of a key that may be "auto".
    """
    for key in _AUTO_KEYS:
        checked_value(key, _value(cfg, key, _AUTO), "the configuration")
    changes = {
        key: value
        for key, value in explicit_settings(cfg).items()
        if _value(cfg, key, None) != value
    }
    if not changes:
        return cfg
    explicit = cfg.clone()
    explicit.defrost()
    for key, value in changes.items():
        *groups, name = key.split(".")
        group = explicit
        for part in groups:
            group = group[part]
        group[name] = value
    explicit.freeze()
    return explicit


def explicit_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Derive the settings that `explicit_config` writes.

    Args:
        values: nested groups of settings: a configuration, or the content of a YAML file. Files of
            earlier releases lack the keys that may be "auto", which is taken as "auto".

    Returns:
        Dotted key to value, such as {"SOLVER.WARMUP_UNIT": "epoch"}.
    """
    architecture = _value(values, "MODEL.META_ARCHITECTURE", "Baseline")
    has_acl_head = _value(values, "MODEL.HEADS.NAME", "") == "MetaEmbeddingHead"
    is_acl = has_acl_head or architecture == "ACL"
    settings = dict(_SET_BY_ACL if is_acl else _SET_BY_PLAIN)
    settings["MODEL.META_ARCHITECTURE"] = (
        "ACL" if has_acl_head and architecture == "Baseline" else architecture
    )
    for key, choice in _AUTO_KEYS.items():
        given = _value(values, key, _AUTO)
        automatic = choice.acl if is_acl else choice.plain
        settings[key] = automatic if given == _AUTO else given
    return settings


def is_acl(cfg: CfgNode) -> bool:
    """Tell whether a configuration has ACL's head; deprecated, for projects of release 0.1.

    Args:
        cfg: the whole configuration.
    """
    return cfg.MODEL.HEADS.NAME == "MetaEmbeddingHead"


def named_classes(cfg: CfgNode) -> tuple[str, list[int]]:
    """Read the number of identities of each source domain where the configuration gives it.

    Args:
        cfg: the whole configuration; CLASSES_PER_DOMAIN takes precedence over the original's
            NUM_CLASSES1 to 3.

    Returns:
        The key that gives the counts, and one count per domain; no counts where no key is set.
    """
    heads = cfg.MODEL.HEADS
    if heads.CLASSES_PER_DOMAIN:
        return "MODEL.HEADS.CLASSES_PER_DOMAIN", list(heads.CLASSES_PER_DOMAIN)
    numbered = (heads.NUM_CLASSES1, heads.NUM_CLASSES2, heads.NUM_CLASSES3)
    return "MODEL.HEADS.NUM_CLASSES1..3", [count for count in numbered if count]


def _value(values: Mapping[str, Any], key: str, default: Any) -> Any:
    found: Any = values
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return default
        found = found[part]
    return found
