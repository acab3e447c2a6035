import numpy as np
import pytest
from PIL import Image

from fastreid.evaluation import FeatureSet, ImageFeatures, pictures, ranked_images, write_pictures
from fastreid.evaluation.ranked_images import most_and_least
from test.evaluation.retrieval_case import small_case


def feature_set(seed=3, num_query=12):
    query, gallery, (q_pids, g_pids, q_camids, g_camids) = small_case(seed=seed)
    columns = (
        np.concatenate(pair) for pair in ((query, gallery), (q_pids, g_pids), (q_camids, g_camids))
    )
    paths = np.array([f"missing/{number}.jpg" for number in range(72)])
    return FeatureSet(ImageFeatures(*columns, paths), num_query, f"Toy{seed}")


def test_the_nearest_come_in_order_and_what_does_not_count_is_marked():
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


def test_best_worst_and_random_queries_are_chosen():
    values = np.array([0.5, 0.9, 0.1, 0.9])
    chosen = most_and_least(values, 2, seed=0)
    assert chosen["best"].tolist() == [1, 3]
    assert chosen["worst"].tolist() == [0, 2]
    assert sorted(most_and_least(values, 9, seed=0)["random"].tolist()) == [0, 1, 2, 3]
    drawn = most_and_least(np.arange(50), 5, seed=1)["random"]
    assert drawn.tolist() == most_and_least(np.arange(50), 5, seed=1)["random"].tolist()
    assert drawn.tolist() == sorted(drawn.tolist(), reverse=True)


def test_runs_are_drawn_and_shown_on_one_page(tmp_path):
    runs = {"ours": feature_set(), "their <b>": feature_set(5)}
    page = write_pictures(runs, tmp_path / "out", num_queries=2, num_images=3)
    text = page.read_text(encoding="utf-8")
    assert "their &lt;b&gt;" in text
    assert "<b>" not in text
    for name in ("cmc", "roc", "map", "ranklist_ours_best", "ranklist_ours_worst"):
        assert f'src="{name}.png"' in text
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.size[0] > 300


def test_a_page_needs_queries(tmp_path):
    with pytest.raises(ValueError, match="a has 0 queries and 72 gallery images; pictures need"):
        write_pictures({"a": feature_set(num_query=0)}, tmp_path)
    with pytest.raises(ValueError, match="nothing to draw: 0 queries"):
        write_pictures({"a": feature_set()}, tmp_path, num_queries=0)


def test_scores_on_the_page_are_those_of_the_ranking(tmp_path):
    features = feature_set()
    run = pictures._score("a", features, "cosine")
    page = write_pictures({"a": features}, tmp_path).read_text(encoding="utf-8")
    assert f"<td>{100 * run.ranking.mean_ap:.1f} %</td>" in page
