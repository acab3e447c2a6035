import logging

import numpy as np
import pytest
from PIL import Image

from fastreid.evaluation import ReidEvaluator, evaluate_rank, jaccard_distance, verification
from fastreid.utils.labels import LabelNames
from test.evaluation.retrieval_case import GOLDEN, METRICS, golden_case, settings, small_case

KEYS = ["Rank-1", "Rank-5", "Rank-10", "mAP", "mINP", "metric"]
RATES = ["TPR@FPR=1e-04", "TPR@FPR=1e-03", "TPR@FPR=1e-02"]


def fill(evaluator, case, paths=None, batch=64):
    """Pass a case to the evaluator in batches."""
    query, gallery, (q_pids, g_pids, q_camids, g_camids) = case
    features = np.concatenate([query, gallery])
    columns = {
        "targets": np.concatenate([q_pids, g_pids]).astype(np.int32),
        "camids": np.concatenate([q_camids, g_camids]).astype(np.int32),
        "img_paths": np.array(paths or [f"{n}.jpg" for n in range(len(features))]),
    }
    for start in range(0, len(features), batch):
        rows = slice(start, start + batch)
        evaluator.process({name: col[rows] for name, col in columns.items()}, features[rows])


def evaluated(case, **changes):
    evaluator = ReidEvaluator(settings(**changes), num_query=len(case[0]))
    fill(evaluator, case)
    return evaluator, evaluator.evaluate()


@pytest.mark.parametrize("metric", METRICS)
def test_results_are_the_originals_in_its_order_and_in_percent(metric):
    _, results = evaluated(golden_case(), METRIC=metric, ROC=True)
    assert list(results) == KEYS + RATES
    cmc, mean_ap = GOLDEN[f"rank.{metric}.cmc"], GOLDEN[f"rank.{metric}.ap"].mean()
    want = [100 * cmc[0], 100 * cmc[4], 100 * cmc[9], 100 * mean_ap]
    want += [100 * GOLDEN[f"rank.{metric}.inp"].mean(), 50 * (mean_ap + cmc[0])]
    np.testing.assert_allclose([results[key] for key in KEYS], want, rtol=2e-5)
    np.testing.assert_allclose([results[key] for key in RATES], GOLDEN[f"roc.{metric}"], rtol=2e-5)
    assert all(type(value) is float for value in results.values())


@pytest.mark.parametrize("metric", METRICS)
def test_re_ranking_normalizes_for_cosine_only(metric):
    query, gallery, labels = golden_case()
    if metric == "cosine":
        jaccard, dist = GOLDEN["jaccard.20.6"], GOLDEN["rank.cosine.dist"]
    else:
        jaccard, dist = jaccard_distance(query, gallery), GOLDEN["rank.euclidean.dist"]
    _, results = evaluated(golden_case(), METRIC=metric, RERANK=True)
    want = evaluate_rank(0.7 * jaccard + 0.3 * dist, *labels)
    # Rounding may swap two images of nearly equal distance.
    assert results["mAP"] == pytest.approx(100 * want.mean_ap, rel=1e-3)
    assert results["Rank-1"] == pytest.approx(100 * want.cmc[0])


def test_identities_of_64_bits_are_scored_as_small_ones_are():
    query, gallery, (q_pids, g_pids, *cameras) = small_case()
    # Modulo 2**32 all would be one person.
    far = [2**33 + pids.astype(np.int64) * 2**32 for pids in (q_pids, g_pids)]
    _, small = evaluated(small_case(), ROC=True, SINGLE_GALLERY_SHOT=True)
    evaluator = ReidEvaluator(settings(ROC=True, SINGLE_GALLERY_SHOT=True), num_query=len(query))
    evaluator.process(
        {
            "targets": np.concatenate(far),
            "camids": np.concatenate(cameras),
            "img_paths": np.array(["x"] * (len(query) + len(gallery))),
        },
        np.concatenate([query, gallery]),
    )
    assert evaluator.evaluate() == small
    shown = {query.image.pid for query in evaluator.report.queries}
    assert shown <= set(far[0].tolist())


def test_rank_lists_show_the_original_texts_of_labels():
    case = small_case()
    texts = [f"p{pid}" for pids in case[2][:2] for pid in pids]
    names = LabelNames(np.array(texts), np.array(["hall"] * len(texts)))
    evaluator = ReidEvaluator(settings(), num_query=len(case[0]), label_names=names)
    fill(evaluator, case)
    evaluator.evaluate()
    image = evaluator.report.queries[0].gallery[0]
    assert (image.identity, image.camera) == (f"p{image.pid}", "hall")


def test_query_expansion_comes_before_the_distances():
    _, _, labels = golden_case()
    expanded = (GOLDEN["aqe.query"], GOLDEN["aqe.gallery"], labels)
    _, want = evaluated(expanded)
    _, results = evaluated(golden_case(), AQE=True)
    for key in KEYS:
        assert results[key] == pytest.approx(want[key], rel=1e-3)


def test_evaluation_can_be_repeated_and_reset_discards_features():
    evaluator, results = evaluated(small_case())
    assert evaluator.evaluate() == results
    evaluator.reset()
    assert evaluator.report is None
    other = small_case(seed=5)
    fill(evaluator, other)
    assert evaluator.evaluate() == evaluated(other)[1]


def test_queries_without_a_match_are_reported(caplog):
    with caplog.at_level(logging.INFO):
        evaluated(golden_case())
    assert "3 of 40 queries have no match in the gallery and are excluded." in caplog.text


def test_the_report_goes_from_the_best_query_to_the_worst():
    evaluator, results = evaluated(golden_case())
    report = evaluator.report
    assert 100 * report.mean_ap == pytest.approx(results["mAP"])
    assert 100 * report.cmc[0] == pytest.approx(results["Rank-1"])
    assert (len(report.all_ap), report.num_queries, len(report.queries)) == (37, 40, 8)
    shown = [query.ap for query in report.queries]
    assert shown == sorted(shown, reverse=True)
    assert (shown[0], shown[-1]) == (report.all_ap.max(), report.all_ap.min())
    assert report.queries == evaluated(golden_case())[0].report.queries


def test_the_report_shows_the_nearest_images_without_the_querys_own_camera():
    case = golden_case()
    _, gallery, (q_pids, g_pids, q_camids, g_camids) = case
    dist = GOLDEN["rank.cosine.dist"]
    for query in evaluated(case)[0].report.queries:
        index = int(query.image.path.split(".")[0])
        assert (query.image.pid, query.image.camid) == (q_pids[index], q_camids[index])
        kept = (g_pids != q_pids[index]) | (g_camids != q_camids[index])
        want = [g for g in np.argsort(dist[index]) if kept[g]][:10]
        assert [image.path for image in query.gallery] == [f"{40 + g}.jpg" for g in want]
        assert [image.pid for image in query.gallery] == g_pids[want].tolist()
        assert [image.camid for image in query.gallery] == g_camids[want].tolist()
        distances = [image.distance for image in query.gallery]
        np.testing.assert_allclose(distances, dist[index, want], atol=1e-5)


def test_a_tiny_test_set_has_a_short_report():
    labels = [np.array(column) for column in ([1], [1, 1, 2], [0], [0, 1, 1])]
    case = (np.array([[1.0, 0]]), np.array([[1.0, 0], [1, 0.1], [0, 1]]), labels)
    evaluator, results = evaluated(case)
    assert results["mAP"] == 100
    assert [image.path for image in evaluator.report.queries[0].gallery] == ["2.jpg", "3.jpg"]


def test_the_plots_are_written(tmp_path):
    case = small_case()
    paths = []
    for number in range(72):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.new("RGB", (16, 32), (number, 0, 0)).save(paths[-1])
    evaluator = ReidEvaluator(settings(), num_query=12, output_dir=str(tmp_path / "out" / "deep"))
    fill(evaluator, case, paths)
    evaluator.evaluate()
    evaluator.write_report(name="Market1501")
    evaluator.write_report(evaluator.report, tmp_path / "other", "again")
    written = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.glob("o*/**/*.png"))
    assert written == [
        "other/cmc_again.png",
        "other/ranklist_again.png",
        "out/deep/cmc_Market1501.png",
        "out/deep/ranklist_Market1501.png",
    ]


def test_plots_need_an_evaluation_and_a_folder(tmp_path):
    with pytest.raises(ValueError, match="needs a previous evaluation and an output_dir"):
        ReidEvaluator(settings(), num_query=1, output_dir=str(tmp_path)).write_report()
    evaluator, _ = evaluated(small_case())
    with pytest.raises(ValueError, match="needs a previous evaluation and an output_dir"):
        evaluator.write_report()


def test_features_that_are_not_finite_are_refused_and_the_image_named():
    case = small_case()
    case[1][7, 3] = np.nan
    case[1][9, 0] = np.inf
    with pytest.raises(ValueError, match="2 of 64 images .* not finite.*first 19.jpg.*diverge"):
        evaluated(case)


def test_features_of_length_zero_are_refused_and_the_image_named():
    case = small_case()
    case[1][7] = 0
    with pytest.raises(ValueError, match="1 of 64 images in a batch are zero, first 19.jpg"):
        evaluated(case)


@pytest.mark.parametrize("num_query", [0, 72, 80])
def test_a_test_set_without_queries_or_gallery_is_an_error(num_query):
    evaluator = ReidEvaluator(settings(), num_query=num_query)
    fill(evaluator, small_case())
    with pytest.raises(ValueError, match=f"72 images, of which the first {num_query} are queries"):
        evaluator.evaluate()


def test_an_evaluation_without_any_batch_is_refused():
    with pytest.raises(ValueError, match="nothing to rank: 0 images"):
        ReidEvaluator(settings(), num_query=3).evaluate()


def test_a_batch_of_unequal_columns_is_refused():
    batch = {"targets": [1, 2], "camids": [0, 0], "img_paths": ["a", "b"]}
    with pytest.raises(ValueError, match="'features': 3, 'pids': 2, 'camids': 2, 'paths': 2"):
        ReidEvaluator(settings(), num_query=1).process(batch, np.ones((3, 4)))


def test_one_camera_is_diagnosed():
    query, gallery, (q_pids, g_pids, q_camids, g_camids) = small_case()
    labels = (q_pids, g_pids, q_camids * 0, g_camids * 0)
    with pytest.raises(ValueError, match="all images are from one camera"):
        evaluated((query, gallery, labels))


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match=r"'cosin' \(TEST.METRIC\)"):
        evaluated(small_case(), METRIC="cosin")


def test_the_single_gallery_shot_metric_is_reached_by_config_and_seeded():
    case = golden_case()
    plain = evaluated(case)[1]
    evaluator = ReidEvaluator(settings(SINGLE_GALLERY_SHOT=True), num_query=40)
    fill(evaluator, case)
    first = evaluator.evaluate()
    assert first["mAP"] == plain["mAP"]
    # Of several right images the nearest counts; here there is any one of them.
    assert first["Rank-1"] < plain["Rank-1"]
    assert evaluator.evaluate() == first
    evaluator.cfg.TEST.SINGLE_GALLERY_SHOT.SEED = 1
    assert evaluator.evaluate() != first


@pytest.mark.parametrize("changes", [{}, {"METRIC": "euclidean"}, {"AQE": True}, {"RERANK": True}])
def test_features_are_collected_without_a_copy_and_inputs_are_not_changed(changes):
    case = small_case()
    before = [side.copy() for side in case[:2]]
    evaluator, _ = evaluated(case, **changes)
    for side, kept in zip(case, before):
        np.testing.assert_array_equal(side, kept)
    assert evaluator.evaluate() == evaluated(case, **changes)[1]


def test_rates_of_many_pairs_come_from_a_histogram_and_their_error_is_logged(monkeypatch, caplog):
    exact = evaluated(golden_case(), ROC=True)[1]
    monkeypatch.setattr(verification, "MOST_PAIRS", 10)
    with caplog.at_level(logging.INFO):
        rough = evaluated(golden_case(), ROC=True)[1]
    assert "ROC of 12000 pairs from a histogram; maximum error of the TPR" in caplog.text
    for name in RATES:
        assert rough[name] == pytest.approx(exact[name], abs=2e-3)
