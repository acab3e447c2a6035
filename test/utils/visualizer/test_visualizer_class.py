"""fast-reid's `Visualizer` over our drawing functions."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fastreid.utils.visualizer import Visualizer


@pytest.fixture
def visualizer(tmp_path):
    """Two queries and four gallery images; the nearest of query 0 is of its own camera."""
    paths = []
    for number in range(6):
        paths.append(str(tmp_path / f"{number}.jpg"))
        Image.new("RGB", (8, 16), (40 * number, 0, 0)).save(paths[-1])
    made = Visualizer(SimpleNamespace(paths=paths))
    distances = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]], np.float32)
    labels = ([1, 2], [1, 1, 2, 2], [0, 0], [0, 1, 1, 1])
    made.get_model_output([0.5, 1.0], distances, *map(np.array, labels))
    return made


def test_images_of_the_querys_identity_and_camera_are_left_out(visualizer):
    matches, gallery = visualizer.get_matched_result(0)
    assert gallery.tolist() == [1, 2, 3]
    assert matches.tolist() == [1, 0, 0]


@pytest.mark.parametrize(("order", "queries"), [("ascending", [0, 1]), ("descending", [1, 0])])
def test_a_picture_is_drawn_for_each_query_in_the_order_that_is_asked_for(
    visualizer, tmp_path, order, queries
):
    output = tmp_path / "lists"
    assert visualizer.vis_rank_list(str(output), True, rank_sort=order) == queries
    with Image.open(output / "1.jpg") as two_rows:
        height = two_rows.height
    assert visualizer.vis_rank_list(str(output), False, 1, order, "ascending", 2) == queries[:1]
    with Image.open(output / "0.jpg") as one_row:
        assert one_row.height < height
    with pytest.raises(ValueError, match="'up' is not an order"):
        visualizer.vis_rank_list(str(output), rank_sort="up")


def test_the_roc_curve_is_drawn_and_its_numbers_are_kept(visualizer, tmp_path):
    pytest.importorskip("matplotlib")
    numbers = visualizer.vis_roc_curve(str(tmp_path))
    fpr, tpr, pos, neg = numbers
    assert sorted(pos) == pytest.approx([0.1, 0.2, 0.2])
    assert sorted(neg) == pytest.approx([0.3, 0.3, 0.4, 0.4])
    # Pairs of two identities are all farther apart.
    assert fpr == pytest.approx([0, 0, 0, 2 / 3, 1])
    assert tpr == pytest.approx([0, 0.5, 1, 1, 1])
    assert (tmp_path / "roc.png").stat().st_size > 1000
    visualizer.save_roc_info(str(tmp_path), *numbers)
    kept = visualizer.load_roc_info(str(tmp_path / "roc_info.npz"))
    assert list(kept) == ["fpr", "tpr", "pos", "neg"]
    np.testing.assert_array_equal(kept["tpr"], tpr)
