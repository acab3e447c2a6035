"""ImageNet weights of pycls, whose files also have its classifier and its optimizer's state."""

from __future__ import annotations

from collections.abc import Mapping

from ..pretrained import PretrainedRules, PublishedFile, register_pretrained

_FOLDER = "https://dl.fbaipublicfiles.com/pycls/dds_baselines/"


def register_pycls_weights(backbone: str, models: Mapping[str, str]) -> None:
    """Declare pycls's ImageNet weights as those of a backbone.

    Args:
        backbone: its name in the registry.
        models: MODEL.BACKBONE.DEPTH -> number and name of the model, as in pycls's URLs.
    """
    files = {
        depth: PublishedFile(f"{_FOLDER}{model}_dds_8gpu.pyth") for depth, model in models.items()
    }
    register_pretrained(backbone, PretrainedRules(files=files, classifiers=("head.fc.",)))
