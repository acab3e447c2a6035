import json
import logging

import numpy as np
import pytest
from PIL import Image

from fastreid.utils.visualizer import (
    RankedImage,
    RankedQuery,
    RankingReport,
    curves,
    draw_queries,
    draw_rank_list,
    features,
    plot_cmc,
    plot_feature_map,
    plot_roc,
    plot_training_curves,
    ranking,
    tiles,
)
from fastreid.utils.visualizer.features import principal_plane


@pytest.fixture
def metrics_json(tmp_path):
    path = tmp_path / "metrics.json"
    records = [
        {"iteration": 0, "epoch": 0, "total_loss": 9.0, "loss_cls": 5.0, "lr": 0.1, "time": 2.0},
        {"iteration": 20, "epoch": 0, "total_loss": 8.0, "loss_cls": 4.0, "lr": 0.1},
        {"iteration": 20, "total_loss": 7.0, "meta_loss_cls": 6.0, "data_time": 0.1},
        {"iteration": 20, "T/mAP": 40.0, "T/Rank-1": 60.0, "T/Rank-10": 90.0, "T/mINP": 5.0},
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture
def figures(monkeypatch):
    """The figures that get drawn."""
    made = []
    new_figure = curves.new_figure

    def keep(*args, **kwargs):
        made.append(new_figure(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(curves, "new_figure", keep)
    monkeypatch.setattr(features, "new_figure", keep)
    return made


def lines_of(figure):
    """Return {series: (iterations, values)} by panel title, without empty panels."""
    return {
        axis.get_title(loc="left"): {
            line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
            for line in axis.get_lines()
        }
        for axis in figure.axes
        if axis.get_lines()
    }


def test_every_series_is_in_its_panel(metrics_json, tmp_path, figures):
    assert plot_training_curves(metrics_json, tmp_path / "curves.png")
    assert lines_of(figures[0]) == {
        "Losses of basic steps": {
            "loss_cls": ([0, 20], [5, 4]),
            # A resumed run wrote iteration 20 again.
            "total_loss": ([0, 20], [9, 7]),
        },
        "Losses of meta steps": {"meta_loss_cls": ([20], [6])},
        "Learning rate": {"lr": ([0, 20], [0.1, 0.1])},
        "Evaluation": {"T/Rank-1": ([20], [60]), "T/mAP": ([20], [40])},
        "Time per iteration": {"data_time": ([20], [0.1]), "time": ([0], [2])},
    }
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > 1000


def test_panels_without_values_are_omitted(tmp_path, figures):
    path = tmp_path / "metrics.json"
    path.write_text('{"iteration": 1, "total_loss": 2.0}\n')
    assert plot_training_curves(str(path), str(tmp_path / "curves.png"))
    assert list(lines_of(figures[0])) == ["Losses of basic steps"]


def test_an_incomplete_line_is_skipped(metrics_json, tmp_path, caplog):
    with metrics_json.open("a") as file:
        file.write('{"iteration": 40, "total')
    assert plot_training_curves(metrics_json, tmp_path / "curves.png")
    assert "metrics.json has a line that is not JSON; it is skipped." in caplog.text


def test_nan_losses_are_plotted_without_an_error(tmp_path, figures):
    path = tmp_path / "metrics.json"
    records = [
        {"iteration": 1, "total_loss": float("nan"), "loss_note": "text", "lr": None},
        {"iteration": 2, "total_loss": 1.0},
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert plot_training_curves(path, tmp_path / "curves.png")
    assert list(lines_of(figures[0])["Losses of basic steps"]) == ["total_loss"]


def test_a_file_without_values_is_reported(tmp_path, caplog):
    path = tmp_path / "metrics.json"
    path.write_text("")
    with caplog.at_level(logging.INFO):
        assert not plot_training_curves(path, tmp_path / "curves.png")
    assert "has no values to plot" in caplog.text
    assert not (tmp_path / "curves.png").exists()


def test_the_legend_of_a_cmc_has_rank_1_and_map(tmp_path, figures):
    curves = {"ACL": np.array([0.5, 0.75, 1.0]), "before": np.array([0.1, 0.2])}
    assert plot_cmc(curves, tmp_path / "cmc.png", mean_aps={"ACL": 0.4})
    (axis,) = figures[0].axes
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["ACL: Rank-1 50.0 %, mAP 40.0 %", "before: Rank-1 10.0 %"]
    assert axis.get_lines()[0].get_xdata().tolist() == [1, 2, 3]
    assert axis.get_lines()[0].get_ydata().tolist() == [50, 75, 100]
    with Image.open(tmp_path / "cmc.png") as picture:
        assert picture.width > 600


def test_without_matplotlib_the_log_names_the_command_that_installs_it(
    metrics_json, tmp_path, caplog, without_matplotlib
):
    assert not plot_training_curves(metrics_json, tmp_path / "curves.png")
    assert not plot_cmc({"a": np.ones(3)}, tmp_path / "cmc.png")
    assert [record.getMessage() for record in caplog.records] == [
        "No plots: Matplotlib is missing. Get it with: pip install matplotlib"
    ] * 2
    assert list(tmp_path.glob("*.png")) == []


def test_drawing_does_not_change_the_matplotlib_backend(metrics_json, tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    plot_training_curves(metrics_json, tmp_path / "curves.png")
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def report(tmp_path):
    """Two queries: the first finds a right image and a wrong one, the second a wrong one only."""
    images = []
    for pid in (1, 2):
        path = tmp_path / f"{pid}.png"
        Image.new("RGB", (64, 128), (0, 0, 100 * pid)).save(path)
        images.append(RankedImage(str(path), pid, 0, 0.25))
    first, second = images
    queries = (RankedQuery(first, 1.0, (first, second)), RankedQuery(second, 0.5, (first,)))
    return RankingReport(np.array([0.5, 1.0]), np.array([1.0, 0.5]), 3, queries)


def frame_colour(sheet, row, column):
    """Colour of the left edge of a tile; column 0 is the query."""
    pitch = ranking.TILE[0] + 2 * ranking.FRAME + ranking.GAP
    height = ranking.TILE[1] + 2 * ranking.FRAME
    height += ranking.CAPTION + ranking.GAP
    left = ranking.MARGIN + ranking.LABEL_WIDTH + column * pitch
    left += ranking.QUERY_GAP if column else 0
    return sheet.getpixel((left + 2, ranking.HEADER + row * height + 40))


def test_right_images_are_framed_green_and_wrong_ones_red(report, tmp_path):
    draw_rank_list(report, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        frames = [[frame_colour(sheet, row, column) for column in range(3)] for row in range(2)]
    right, wrong = ranking.RIGHT, ranking.WRONG
    query, nothing = ranking.QUERY, ranking.WHITE
    assert frames == [[query, right, wrong], [query, wrong, nothing]]


def test_an_image_that_cannot_be_read_is_grey_and_named(report, tmp_path, caplog):
    (tmp_path / "2.png").write_bytes(b"no image")
    (tmp_path / "1.png").unlink()
    draw_rank_list(report, tmp_path / "sheet.png")
    (record,) = caplog.records
    reported = f"Cannot show 5 images in the rank list {tmp_path / 'sheet.png'}, first "
    assert record.getMessage().startswith(f"{reported}{tmp_path / '1.png'}: ")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert tiles.PAPER in {colour for _, colour in sheet.getcolors(10**6)}


def test_an_image_known_to_be_missing_is_an_empty_tile_without_a_warning(report, tmp_path, caplog):
    first, second = (query.image for query in report.queries)
    queries = [RankedQuery(first, 1.0, (second._replace(path="gone", is_found=False),))]
    draw_queries(queries, tmp_path / "sheet.png", title="t", legend="l")
    assert caplog.text == ""
    with Image.open(tmp_path / "sheet.png") as sheet:
        colours = {colour for _, colour in sheet.getcolors(10**6)}
    assert tiles.PAPER in colours


def test_labels_under_an_image_are_names_or_numbers_that_fit():
    image = RankedImage("a", 8123101712, 3, 0.0)
    assert ranking._label(image) == "id 8123101712  c3"
    assert ranking._label(image._replace(pid=-1)) == ""
    named = image._replace(pid=0, pid_name="anna", camid_name="hall")
    assert ranking._label(named) == "id anna  c hall"
    # The font lacks these characters and would draw all names as boxes.
    assert ranking._label(named._replace(pid_name="安娜")) == "id #0  c hall"
    assert tiles.fitted_text("id 2  c1") == ("id 2  c1", 12)
    text, size = tiles.fitted_text("id 8123101712  c3")
    assert text == "id 8123101712  c3"
    assert size < 12
    text, _ = tiles.fitted_text("id somebody with a long name  c entrance hall")
    assert text.startswith("id som")
    assert "..." in text
    assert text.endswith("hall")


def test_images_keep_their_proportions(tmp_path):
    Image.new("RGB", (100, 100), (0, 0, 255)).save(tmp_path / "square.png")
    tile = tiles.read_tile(str(tmp_path / "square.png"))
    assert tile.size == ranking.TILE
    assert tile.getpixel((40, 80)) == (0, 0, 255)
    assert tile.getpixel((40, 10)) == tiles.PAPER


def test_frames_distinguish_junk_and_unknown_images(report, tmp_path):
    first, second = (query.image for query in report.queries)
    unknown = first._replace(pid=-1)
    queries = [
        RankedQuery(first, 0.5, (second._replace(is_junk=True), unknown)),
        RankedQuery(unknown, float("nan"), (first, second)),
    ]
    draw_queries(queries, tmp_path / "sheet.png", title="t", legend="l")
    with Image.open(tmp_path / "sheet.png") as sheet:
        frames = [[frame_colour(sheet, row, column) for column in (1, 2)] for row in range(2)]
    junk, grey = ranking.JUNK, ranking.UNKNOWN
    assert frames == [[junk, grey], [grey, grey]]
    meaning = ranking._explain_colours(queries)
    assert "Yellow: same identity and camera, does not count." in meaning
    assert "Green" not in ranking._explain_colours(queries[1:])


def test_the_legend_of_a_roc_has_the_rate_at_one_in_a_thousand(tmp_path, figures):
    curves = {"a": (np.array([0, 0, 1e-3, 1]), np.array([0, 0.2, 0.6, 1]))}
    assert plot_roc(curves, tmp_path / "roc.png")
    (axis,) = figures[0].axes
    (label,) = [text.get_text() for text in axis.get_legend().get_texts()]
    assert label in ("a: 20.0 % at 1e-3", "a: 60.0 % at 1e-3")
    assert axis.get_lines()[0].get_ydata()[-1] == 100


def test_a_map_shows_domains_and_the_largest_identities(tmp_path, figures):
    points = np.random.RandomState(0).randn(30, 2)
    pids = np.array([1] * 10 + [2] * 5 + [-1] * 15)
    domains = ["A"] * 10 + ["B"] * 20
    assert plot_feature_map(points, domains, pids, tmp_path / "map.png")
    left, right = figures[0].axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["A", "B"]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["A 1", "B 2"]


def test_the_principal_plane_keeps_the_largest_spread():
    rng = np.random.RandomState(0)
    angles = rng.rand(500) * 2
    features = np.stack([np.cos(angles), np.sin(angles), 0.01 * rng.randn(500)], axis=1)
    points = principal_plane(features * 7)
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    total = units.var(axis=0).sum()
    assert points.var(axis=0).sum() == pytest.approx(total, rel=1e-3)
    assert points.var(axis=0)[0] > points.var(axis=0)[1]
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-5)
    assert principal_plane(np.ones((3, 1))).shape == (3, 2)


def test_without_matplotlib_neither_rocs_nor_maps_are_drawn(tmp_path, without_matplotlib):
    assert not plot_roc({"a": (np.arange(2), np.arange(2))}, tmp_path / "a.png")
    assert not plot_feature_map(np.ones((1, 2)), ["A"], np.ones(1), tmp_path / "a.png")
    assert list(tmp_path.glob("*.png")) == []
