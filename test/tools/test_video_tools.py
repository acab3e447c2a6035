"""tools/crop_video.py and tools/search.py, from a video to the people of a gallery."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crop_video import main as crop_video
from fastreid.deploy import Embedder
from fastreid.gallery import Description, Entry, GalleryError, open_gallery
from fastreid.utils.command_line.command import run_command
from fastreid.video import Box, BoxError, Video, VideoError, read_boxes, write_boxes
from gallery import main as change_gallery
from search import main as search
from test.deploy.small_models import INFO, write_model
from test.video.cases import boxes_of, damage, draw_frame, people, write_plain, write_walk

ROOT = Path(__file__).parents[2]
SIZE = (480, 320)
WALKERS = [(*pair, 4, tall) for *pair, tall in zip(people(2, seed=1), (110, 300), (200, 180))]
FRAMES = 8


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A video of two people."""
    from test.video.cases import write_video

    path = tmp_path_factory.mktemp("walk") / "walk.avi"
    return write_video(path, [draw_frame(WALKERS, time, SIZE) for time in range(FRAMES)])


@pytest.fixture
def case(tmp_path, walk):
    """Boxes of the people, and a gallery with their looks in the first frame."""
    write_boxes(tmp_path / "tracks.csv", boxes_of(WALKERS, FRAMES, SIZE))
    model = write_model(tmp_path / "model.onnx")
    paths = []
    for box in boxes_of(WALKERS, 1, SIZE):
        left, top, right, bottom = box.region(SIZE)
        paths.append(str(tmp_path / f"known{box.track}.png"))
        Image.fromarray(draw_frame(WALKERS, 0, SIZE)[top:bottom, left:right]).save(paths[-1])
    embed = Embedder(model)
    with open_gallery(
        str(tmp_path / "people"), create=Description(6, INFO.weights_sha256)
    ) as gallery:
        entries = [
            Entry(path, name, "hall", path=path) for path, name in zip(paths, ("anna", "ben"))
        ]
        gallery.add(embed(paths), entries)
    return tmp_path


def options(case, *words):
    known = ["--model", str(case / "model.onnx"), "--gallery", str(case / "people")]
    return [*words, *known, "--output", str(case / "sheet.png")]


def video_options(case, walk, *words):
    return options(case, "--video", str(walk), "--boxes", str(case / "tracks.csv"), *words)


def test_people_of_a_video_are_found_and_cropped(walk, tmp_path, capsys):
    crop_video([str(walk), "--output", str(tmp_path / "out"), "--camid", "5", "--max-crops", "3"])
    assert "2 tracks, " in capsys.readouterr().out
    with (tmp_path / "out" / "crops.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["pid"], row["camid"]) for row in rows} == {("1", "5"), ("2", "5")}
    assert len(rows) == len(list((tmp_path / "out" / "crops").iterdir())) == 6
    boxes = read_boxes(tmp_path / "out" / "tracks.csv")
    assert {box.frame for box in boxes} == set(range(1, FRAMES + 1))
    # The people stay apart, so a track stays on one side.
    sides = {(box.track, box.left > 200) for box in boxes}
    assert len(sides) == 2


def test_every_other_frame_of_high_boxes_only(walk, tmp_path):
    words = ["--every", "2", "--min-length", "3", "--min-height", "190"]
    crop_video([str(walk), "--output", str(tmp_path / "out"), *words])
    boxes = read_boxes(tmp_path / "out" / "tracks.csv")
    assert {box.track for box in boxes} == {1}
    assert {box.frame for box in boxes} <= {1, 3, 5, 7}
    assert min(box.height for box in boxes) >= 190


def test_boxes_of_another_program_are_cropped(case, walk):
    words = ["--boxes", str(case / "tracks.csv"), "--every", "3", "--min-length", "3"]
    crop_video([str(walk), "--output", str(case / "out"), *words])
    boxes = read_boxes(case / "out" / "tracks.csv")
    assert [(box.frame, box.track) for box in boxes] == [(f, t) for f in (1, 4, 7) for t in (1, 2)]
    with pytest.raises(BoxError, match="No boxes of .* are left: --min-length is 30"):
        crop_video([str(walk), "--output", str(case / "o"), *words[:2], "--min-length", "30"])


def test_tracks_find_their_people(case, walk, capsys):
    search(video_options(case, walk, "--results", str(case / "found.csv"), "--crops", "2"))
    with (case / "found.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    best = [(row["query"], row["pid"]) for row in rows if row["rank"] == "1"]
    assert best == [("track 1", "anna"), ("track 2", "ben")]
    assert {row["crops"] for row in rows} == {"2"}
    printed = capsys.readouterr().out
    assert "track 1\n   1  " in printed
    assert "known1.png  id anna  camera hall\n" in printed
    with Image.open(case / "sheet.png") as sheet:
        assert sheet.width > 360


def test_the_tracks_of_crop_video_are_searched(case, walk):
    crop_video([str(walk), "--output", str(case / "out")])
    words = video_options(case, walk, "--results", str(case / "found.json"))
    words[3] = str(case / "out" / "tracks.csv")
    search(words)
    found = json.loads((case / "found.json").read_text(encoding="utf-8"))["queries"]
    assert [query["track"] for query in found] == [1, 2]
    assert {query["matches"][0]["pid"] for query in found} == {"anna", "ben"}


def test_several_images_of_one_person_are_one_query(case, capsys):
    images = [str(case / f"known{i}.png") for i in (1, 2)]
    search(options(case, "--image", *images, "--results", str(case / "found.json")))
    (query,) = json.loads((case / "found.json").read_text(encoding="utf-8"))["queries"]
    features = Embedder(case / "model.onnx")(images)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    mean = features.mean(axis=0)
    expected = sorted(features @ (mean / np.linalg.norm(mean)), reverse=True)
    found = [match["similarity"] for match in query["matches"]]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert query["images"] == 2


def test_filters_and_all_images_decide_what_is_listed(case, capsys):
    image = str(case / "known1.png")
    with open_gallery(str(case / "people")) as gallery:
        gallery.add(np.ones((1, 6)), [Entry("other", "anna", "door")])

    def listed(*words):
        capsys.readouterr()
        search(options(case, "--image", image, *words))
        lines = capsys.readouterr().out.splitlines()[1:-1]
        return sorted(Path(line.split()[2]).stem for line in lines)

    assert listed() == ["known1", "known2"]
    assert listed("--all-images") == ["known1", "known2", "other"]
    assert listed("--camid", "door") == ["other"]
    assert listed("--not-camid", "door", "--pid", "anna") == ["known1"]
    assert listed("--top", "1") == ["known1"]


def test_crops_of_a_video_bring_their_times_into_a_gallery(case, walk, capsys):
    words = ["--boxes", str(case / "tracks.csv"), "--start", "2026-05-01T10:00:00Z"]
    crop_video([str(walk), "--output", str(case / "out"), *words])
    folder = ["--images", str(case / "out" / "crops"), "--model", str(case / "model.onnx")]
    times = ["--times", str(case / "out" / "crops.csv")]
    change_gallery(["add", str(case / "people"), *folder, *times])
    with open_gallery(str(case / "people")) as gallery:
        found = [e.time - 1777629600 for e in gallery.entries() if e.time is not None]
    seconds = [frame / 10 for frame in range(FRAMES)]
    np.testing.assert_allclose(sorted(found), np.repeat(seconds, 2), atol=1e-3)

    def listed(*limits):
        capsys.readouterr()
        words = ("--image", str(case / "known1.png"), "--all-images", "--top", "50", *limits)
        search(options(case, *words))
        return len(capsys.readouterr().out.splitlines()[1:-1])

    assert listed() == 2 + 2 * FRAMES
    assert listed("--since", "2026-05-01T10:00:00Z") == 2 * FRAMES
    assert listed("--since", "1777629600.15", "--before", "1777629600.45") == 6


def test_limits_of_time_are_refused_for_feature_files(case):
    words = ["q.png", "--gallery", "feats.npz", "--since", "0"]
    with pytest.raises(ValueError, match="--since needs --image or --video"):
        search(words)


def test_an_exported_model_searches_a_video_without_mindspore(case, walk):
    code = (
        "import sys; sys.modules['mindspore'] = None; sys.path.insert(0, 'tools'); import search;"
        "sys.exit(search.run_command(search.main, sys.argv[1:]))"
    )
    words = video_options(case, walk)
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "id anna" in done.stdout


def test_a_damaged_video_is_one_line_on_the_screen(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"\0" * 2000)
    command = [sys.executable, str(ROOT / "tools" / "crop_video.py"), str(tmp_path / "a.mp4")]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    message = f"{tmp_path / 'a.mp4'} cannot be read as a video; is it damaged?"
    assert done.stderr == f"crop_video.py: {message}\n"
    assert done.returncode == 1
    assert not (tmp_path / "out").exists()


def test_bad_frames_are_said_and_the_others_used(tmp_path, caplog):
    path = damage(write_walk(tmp_path / "a.avi", [], 6), 2)
    write_boxes(tmp_path / "t.csv", [Box(frame, 1, 0, 0, 60, 90) for frame in range(1, 7)])
    words = [str(path), "--output", str(tmp_path / "out"), "--boxes", str(tmp_path / "t.csv")]
    crop_video(words)
    assert len(list((tmp_path / "out" / "crops").iterdir())) == 5
    assert "1 frames cannot be decoded and are left out (2)" in caplog.text


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (["{walk}", "--every", "0"], ValueError, "--every is 0; it must be at least 1"),
        (["{walk}", "--min-length", "0"], ValueError, "--min-length is 0"),
        (["{walk}", "--max-crops", "0"], ValueError, "--max-crops is 0"),
        (["{walk}", "--min-height", "-1"], ValueError, "--min-height is -1"),
        (["{walk}", "--camid", "a/b"], ValueError, "The camera is 'a/b'"),
        (["none.mp4"], FileNotFoundError, "There is no video file none.mp4"),
        (["{case}/empty.mp4"], VideoError, "empty.mp4 is empty"),
        (["{case}/gray.avi"], VideoError, "No people were found in .*gray.avi"),
        (["{walk}", "--min-length", "99"], VideoError, "No people were found in .*--min-length"),
        (["{walk}", "--boxes", "{case}/late.csv"], BoxError, "Line 6 .*frame 9 is beyond .* 8 fr"),
        (["{walk}", "--boxes", "{case}/far.csv"], BoxError, "Line 1 .*no pixel of the box"),
    ],
)
def test_mistakes_in_cropping_are_named_and_leave_nothing(case, walk, words, kind, message):
    (case / "empty.mp4").touch()
    write_plain(case / "gray.avi", 6, size=(160, 200))
    write_boxes(case / "late.csv", [Box(f, 1, 0, 0, 9, 9) for f in (1, 2, 3, 4, 5, 9)])
    write_boxes(case / "far.csv", [Box(f, 1, 900, 0, 9, 9) for f in range(1, 7)])
    before = sorted(case.iterdir())
    words = [word.format(walk=walk, case=case) for word in words]
    with pytest.raises(kind, match=message):
        crop_video([*words, "--output", str(case / "out")])
    assert sorted(case.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (["--video", "{walk}"], ValueError, "--video needs --boxes, such as tracks.csv"),
        (["--image", "a.png", "--boxes", "b.csv"], ValueError, "--boxes needs --video"),
        (["--image", "a.png", "--root", "x"], ValueError, "--root is for searches of feature"),
        (["--image", "{case}/known1.png", "--top", "0"], ValueError, "--top is 0"),
        (["{v}", "--crops", "0"], ValueError, "--crops is 0"),
        (["{v}", "--results", "r.txt"], ValueError, "--results r.txt must end with .csv or .json"),
        (["{v}", "--opts", "TEST.METRIC", "cosine"], ValueError, "TEST.METRIC cannot be changed"),
        (["{v}", "--boxes", "none.csv"], FileNotFoundError, "There is no file of boxes none.csv"),
        (["{v}", "--video", "none.mp4"], FileNotFoundError, "There is no video file none.mp4"),
        (["{v}", "--boxes", "{case}/late.csv"], BoxError, "frame 99 is beyond the end"),
        (["{v}", "--gallery", "{case}/none"], GalleryError, "There is no gallery"),
        (["{v}", "--gallery", "f.npz"], ValueError, "f.npz is a feature file; make a gallery"),
        (["{v}", "--model", "{case}/other.onnx"], GalleryError, "come from the model 0000"),
        (["{v}", "--model", "none.onnx"], FileNotFoundError, "There is no model file none.onnx"),
        (["{v}", "--config-file", "c.yml"], ValueError, "The configuration is inside .*onnx"),
        (["--image", "none.png"], ValueError, "Image file none.png does not exist"),
        (["q.png"], ValueError, "people is a gallery of tools/gallery.py: give --image"),
        (["q.png", "--gallery", "f", "--crops", "3"], ValueError, "--crops, --model needs --image"),
    ],
)
def test_mistakes_in_searches_are_named_and_leave_nothing(case, walk, words, kind, message):
    write_model(case / "other.onnx", replace(INFO, weights_sha256="f" * 64))
    write_boxes(case / "late.csv", [Box(99, 1, 0, 0, 9, 9)])
    before = sorted(case.iterdir())
    words = [word.format(walk=walk, case=case, v="{v}") for word in words]
    base = options(case)
    if words[0] == "{v}":
        base, words = video_options(case, walk), words[1:]
    if words == ["q.png"]:
        base = base[2:]
    with pytest.raises(kind, match=message):
        search([*base, *words])
    assert sorted(case.iterdir()) == before


def test_one_kind_of_query_is_needed(case, capsys):
    for words in ([], ["q.png", "--video", "v.mp4"]):
        with pytest.raises(SystemExit):
            run_command(search, options(case, *words))
        assert "give one of: QUERY.jpg ..., --image A.jpg" in capsys.readouterr().err


def test_a_folder_of_crops_becomes_a_gallery_that_knows_the_tracks(case, walk, capsys):
    crop_video([str(walk), "--output", str(case / "out"), "--boxes", str(case / "tracks.csv")])
    folder = [str(case / "out" / "crops"), "--model", str(case / "model.onnx")]
    change_gallery(["add", str(case / "crops"), "--images", *folder])
    assert f"the gallery has {2 * FRAMES}" in capsys.readouterr().out
    assert Video(walk).announced == FRAMES
