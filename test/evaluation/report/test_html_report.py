import os

import numpy as np
import pytest
from PIL import Image

from fastreid.evaluation import FeatureSet, ImageFeatures, evaluate_rank, write_pictures
from fastreid.evaluation.report.ranked_images import best_worst_and_random, image_at, ranked_images
from fastreid.utils.compute_dist import DistanceRows
from fastreid.utils.labels import LabelNames
from test.evaluation.retrieval_case import small_case


def feature_set(folder="missing", seed=3, num_query=12, names=None):
    query, gallery, (q_pids, g_pids, q_camids, g_camids) = small_case(seed=seed)
    columns = (
        np.concatenate(pair) for pair in ((query, gallery), (q_pids, g_pids), (q_camids, g_camids))
    )
    paths = np.array([f"{folder}/{number}.jpg" for number in range(72)])
    images = ImageFeatures(*columns, paths).with_names(names)
    return FeatureSet(images, num_query, f"Toy{seed}")


@pytest.fixture
def folder(tmp_path):
    """Images of all features."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(72):
        Image.new("RGB", (8, 16), (number, 0, 0)).save(folder / f"{number}.jpg")
    return folder


def test_the_nearest_images_are_in_order_and_junk_is_marked():
    query = ImageFeatures(np.array([[1.0, 0]]), np.array([7]), np.array([1]), np.array(["q"]))
    gallery = ImageFeatures(
        np.array([[0.0, 1], [1, 0], [1, 1]]),
        np.array([8, 7, 7]),
        np.array([1, 1, 2]),
        np.array(["a", "b", "c"]),
    )
    ((first, second, third),) = ranked_images(query, gallery, count=5)
    assert [image.path for image in (first, second, third)] == ["b", "c", "a"]
    assert [image.is_junk for image in (first, second, third)] == [True, False, False]
    assert third.distance == 1
    ((nearest,),) = ranked_images(query._replace(pids=np.array([-1])), gallery, count=1)
    assert not nearest.is_junk


def test_a_ranked_image_shows_its_name_unless_it_spells_the_number():
    columns = (np.eye(3), np.array([0, 7, -1]), np.array([1, 1, -1]), np.array(["a", "b", "c"]))
    names = LabelNames(np.array(["anna", "007", ""]), np.array(["hall", "1", ""]))
    images = ImageFeatures(*columns)
    shown = [image_at(images.with_names(names), index, 0.0) for index in range(3)]
    assert [image.identity for image in shown] == ["anna", "7", ""]
    assert [image.camera for image in shown] == ["hall", "1", ""]
    assert image_at(images, 0, 0.0).identity == "0"


def test_best_worst_and_random_queries_are_chosen():
    values = np.array([0.5, 0.9, 0.1, 0.9])
    chosen = best_worst_and_random(values, 2, seed=0)
    assert chosen["best"].tolist() == [1, 3]
    assert chosen["worst"].tolist() == [0, 2]
    assert sorted(best_worst_and_random(values, 9, seed=0)["random"].tolist()) == [0, 1, 2, 3]
    drawn = best_worst_and_random(np.arange(50), 5, seed=1)["random"]
    assert drawn.tolist() == best_worst_and_random(np.arange(50), 5, seed=1)["random"].tolist()
    assert drawn.tolist() == sorted(drawn.tolist(), reverse=True)


def test_runs_are_drawn_and_shown_on_one_page(tmp_path, folder):
    other = feature_set(folder, 5)._replace(name=os.fsdecode(b"\xc4\xe3"))
    runs = {"ours": feature_set(folder), "their <b>": other}
    page = write_pictures(runs, tmp_path / "out", num_queries=2, num_images=3)
    text = page.read_text(encoding="utf-8")
    assert "their &lt;b&gt;" in text
    assert r"\xc4\xe3" in text
    assert "<b>" not in text
    for name in ("cmc", "roc", "map", "ranklist_ours_best", "ranklist_ours_worst"):
        assert f'src="{name}.png"' in text
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.size[0] > 300


def test_a_page_needs_queries(tmp_path):
    with pytest.raises(ValueError, match="a has 0 queries and 72 gallery images; both are"):
        write_pictures({"a": feature_set(num_query=0)}, tmp_path)
    with pytest.raises(ValueError, match="nothing to draw: -1 queries"):
        write_pictures({"a": feature_set()}, tmp_path, num_queries=-1)


def test_missing_images_are_an_error_and_curves_can_be_drawn_alone(tmp_path):
    with pytest.raises(FileNotFoundError, match="a: .* not found, first missing/.*--root"):
        write_pictures({"a": feature_set()}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    write_pictures({"a": feature_set()}, tmp_path / "out", num_queries=0)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"index.html", "cmc.png", "roc.png", "map.png"}


def test_images_that_are_not_found_are_one_warning_for_a_run(tmp_path, folder, caplog):
    for number in range(12, 40):
        (folder / f"{number}.jpg").unlink()
    write_pictures({"a": feature_set(folder)}, tmp_path / "out")
    (record,) = caplog.records
    assert "images to be drawn are not found, first " in record.getMessage()


def test_the_page_has_the_original_texts_of_labels(tmp_path, folder):
    pids = feature_set().images.pids
    texts = np.array([f"person {pid}" for pid in pids])
    names = LabelNames(texts, np.array(["hall"] * 72))
    page = write_pictures({"a": feature_set(folder, names=names)}, tmp_path)
    assert f"<td>person {pids[0]}, camera hall</td>" in page.read_text(encoding="utf-8")


def test_scores_on_the_page_are_those_of_the_ranking(tmp_path, folder):
    features = feature_set(folder)
    query, gallery = features.query, features.gallery
    distances = DistanceRows(query.features, gallery.features, metric="cosine")
    labels = (query.pids, gallery.pids, query.camids, gallery.camids)
    page = write_pictures({"a": features}, tmp_path).read_text(encoding="utf-8")
    assert f"<td>{100 * evaluate_rank(distances, *labels).mean_ap:.1f} %</td>" in page
