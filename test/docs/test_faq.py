"""What docs/faq.md says about messages and cameras is so."""

import numpy as np
import pytest
from PIL import Image

from fastreid.config import get_cfg
from fastreid.engine.steps.non_finite import NonFiniteError
from fastreid.modeling import build_backbone
from tools import check_dataset

from .markdown import ROOT, read

PAGE = read(ROOT / "docs" / "faq.md")


def draw(folder, *, gallery_camera):
    """Two persons in query and gallery; queries are from camera 1."""
    rng = np.random.default_rng(0)
    for split, camera in (("query", 1), ("gallery", gallery_camera)):
        (folder / split).mkdir(parents=True)
        for person in (17, 18):
            pixels = rng.integers(0, 256, (32, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / split / f"{person:04d}_c{camera}_a.png")


@pytest.mark.parametrize(("camera", "code"), [(1, 1), (2, 0)])
def test_the_cause_of_queries_without_a_match_is_named(camera, code, tmp_path, capsys):
    draw(tmp_path / "images", gallery_camera=camera)
    words = ["ImageList", "--for", "test", "DATASETS.IMAGE_LIST", str(tmp_path / "images")]
    assert check_dataset.main(words) == code
    printed = capsys.readouterr().out
    assert ("All images are from one camera" in printed) == bool(code)
    assert ("No query of the test set ImageList has a match in the gallery" in printed) == bool(
        code
    )
    assert '"No query of the test set ... has a match in the gallery"' in PAGE


def test_the_message_about_the_width_of_a_backbone_is_quoted():
    cfg = get_cfg()
    cfg.MODEL.BACKBONE.DEPTH = "tiny"
    with pytest.raises(ValueError, match=r"FEAT_DIM is 2048, but DEPTH 'tiny' gives 512 channels"):
        build_backbone(cfg)
    assert '"MODEL.BACKBONE.FEAT_DIM is ..., but DEPTH ... gives ... channels"' in PAGE


def test_the_message_about_numbers_that_are_not_finite_is_quoted():
    error = NonFiniteError("basic", 3, terms={"a": 1.0}, learning_rate=0.1, img_paths=["x.jpg"])
    assert str(error).startswith("A loss or gradient of the basic step")
    assert '"A loss or gradient ... is not finite"' in PAGE
