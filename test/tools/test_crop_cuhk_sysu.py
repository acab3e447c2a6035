import numpy as np
import pytest
from PIL import Image
from scipy import io

from fastreid.data.datasets import DATASET_REGISTRY
from fastreid.utils.command_line.command import run_command
from tools.crop_cuhk_sysu import main

GRAY, RED, BLUE = (90, 90, 90), (200, 0, 0), (0, 0, 200)
RED_BOX, BLUE_BOX = (10, 20, 20, 40), (60, 10, 30, 60)


def structs(rows):
    """A MATLAB struct array, as scipy writes it."""
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in rows[0]])
    for index, row in enumerate(rows):
        array[0, index] = tuple(row.values())
    return array


def scene(frame, box, hard=0):
    return {"imname": frame, "idlocate": np.array([box], dtype=float), "ishard": float(hard)}


def person(pid, *scenes):
    return {"idname": f"p{pid}", "nAppear": float(len(scenes)), "scene": structs(scenes)}


def write_annotations(release, persons, train, tests):
    folder = release / "annotation" / "test" / "train_test"
    folder.mkdir(parents=True, exist_ok=True)
    io.savemat(release / "annotation" / "Person.mat", {"Person": structs(persons)})
    cells = np.empty((len(train), 1), dtype=object)
    for index, entry in enumerate(train):
        cells[index, 0] = structs([entry])
    io.savemat(folder / "Train.mat", {"Train": cells})
    io.savemat(folder / "TestG50.mat", {"TestG50": structs(tests)})


@pytest.fixture
def release(tmp_path):
    """Two frames with a red person (1, to train on) and a blue one (22, a query)."""
    root = tmp_path / "release"
    frames = root / "Image" / "SSM"
    frames.mkdir(parents=True)
    pixels = np.full((80, 100, 3), GRAY, np.uint8)
    for (left, top, width, height), colour in ((RED_BOX, RED), (BLUE_BOX, BLUE)):
        pixels[top : top + height, left : left + width] = colour
    for name in ("s7.jpg", "s8.jpg"):
        Image.fromarray(pixels).save(frames / name, quality=95)
    red = person(1, scene("s7.jpg", RED_BOX), scene("s8.jpg", RED_BOX, hard=1))
    blue = person(22, scene("s7.jpg", BLUE_BOX), scene("s8.jpg", (*BLUE_BOX[:2], 90, 90)))
    query = {**scene("s7.jpg", BLUE_BOX), "idname": "p22"}
    empty = {"imname": "s7.jpg", "idlocate": np.zeros((0, 0)), "ishard": np.zeros((0, 0))}
    gallery = structs([scene("s8.jpg", BLUE_BOX), empty])
    tests = [{"Query": structs([query]), "Gallery": gallery}]
    write_annotations(root, [red, blue], [red], tests)
    return root


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def run(release, root):
    return run_command(main, [str(release), "--root", str(root)])


def test_every_annotated_person_becomes_a_file(release, tmp_path, capsys):
    root = tmp_path / "datasets"
    assert run(release, root) == 0
    assert names(root / "cuhk_sysu" / "cropped_images") == [
        "p1_s7_1.jpg",
        "p1_s8_2.jpg",
        "p22_s7_1.jpg",
        "p22_s8_2.jpg",
    ]
    reid = root / "cuhksysu4reid"
    assert names(reid / "train") == ["00001_s7_0000000_0.jpg", "00001_s8_0000001_1.jpg"]
    assert names(reid / "query") == ["00022_s7_0000000_0.jpg"]
    assert names(reid / "gallery") == ["00022_s8_0000000_0.jpg"]
    assert names(root) == ["cuhk_sysu", "cuhksysu4reid"]
    out = capsys.readouterr().out
    assert "cuhk_sysu/cropped_images: 2 identities, 4 images" in out
    assert "cuhksysu4reid/gallery: 1 identities, 1 images" in out


def test_a_crop_shows_the_person_and_nothing_else(release, tmp_path):
    run(release, tmp_path)
    with Image.open(tmp_path / "cuhk_sysu" / "cropped_images" / "p1_s7_1.jpg") as crop:
        assert crop.size == RED_BOX[2:]
        middle = np.asarray(crop)[5:-5, 5:-5].reshape(-1, 3)
    assert np.abs(middle - np.array(RED)).max() < 25


def test_a_box_is_clipped_to_the_frame(release, tmp_path):
    run(release, tmp_path)
    with Image.open(tmp_path / "cuhk_sysu" / "cropped_images" / "p22_s8_2.jpg") as crop:
        assert crop.size == (40, 70)


def test_the_loader_reads_the_crops(release, tmp_path):
    run(release, tmp_path)
    dataset = DATASET_REGISTRY.get("cuhkSYSU")(str(tmp_path))
    assert dataset.parse_data(dataset.train) == (2, 1)
    assert [item[1:] for item in dataset.query] == [(22, 0)]
    assert [item[1:] for item in dataset.gallery] == [(22, 1)]


def test_counts_other_than_the_published_ones_are_a_warning(release, tmp_path, caplog):
    run(release, tmp_path)
    assert (
        "cropped_images has 2 identities and 4 images; the published set has 11934 and 34574"
        in caplog.text
    )


def test_a_box_outside_its_frame_is_left_out_and_named(release, tmp_path, capsys):
    outside = person(5, scene("s7.jpg", (100, 0, 10, 10)), scene("s8.jpg", RED_BOX))
    query = {**scene("s7.jpg", BLUE_BOX), "idname": "p22"}
    tests = [{"Query": structs([query]), "Gallery": structs([scene("s8.jpg", BLUE_BOX)])}]
    write_annotations(release, [outside], [person(1, scene("s7.jpg", RED_BOX))], tests)
    assert run(release, tmp_path) == 0
    assert names(tmp_path / "cuhk_sysu" / "cropped_images") == ["p5_s8_2.jpg"]
    assert "outside their frame: cuhk_sysu/cropped_images/p5_s7_1.jpg" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_an_unreadable_frame_is_named_and_nothing_is_left(release, tmp_path, capsys, damage):
    frame = release / "Image" / "SSM" / "s8.jpg"
    frame.unlink()
    if damage == "broken":
        frame.write_bytes(b"no picture")
    root = tmp_path / "datasets"
    assert run(release, root) == 1
    message = capsys.readouterr().err
    assert f"Frame {frame}" in message
    assert ("does not exist" if damage == "missing" else "cannot be read") in message
    assert names(root) == []


@pytest.mark.parametrize("target", ["cuhk_sysu/cropped_images", "cuhksysu4reid"])
def test_existing_crops_are_not_overwritten(release, tmp_path, capsys, target):
    (tmp_path / target).mkdir(parents=True)
    assert run(release, tmp_path) == 1
    assert f"{tmp_path / target} exists. Move or remove it" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["Person.mat", "test/train_test/Train.mat"])
def test_a_missing_annotation_is_named(release, tmp_path, capsys, name):
    path = release / "annotation" / name
    path.unlink()
    assert run(release, tmp_path) == 1
    assert f"the annotation {path} is missing" in capsys.readouterr().err


def test_a_damaged_mat_file_is_named(release, tmp_path, capsys):
    path = release / "annotation" / "Person.mat"
    path.write_bytes(b"no matrix" * 100)
    assert run(release, tmp_path) == 1
    assert f"{path} is not a readable .mat file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"idname": "p3", "nAppear": 1.0}, "has no field 'scene'"),
        (person("x", scene("s7.jpg", RED_BOX)), "has the person 'px'"),
        (person(3, scene("s7.jpg", (1, 2, 3))), "not 4 numbers"),
    ],
)
def test_an_annotation_of_another_shape_is_an_error(release, tmp_path, capsys, entry, message):
    path = release / "annotation" / "Person.mat"
    io.savemat(path, {"Person": structs([entry])})
    assert run(release, tmp_path) == 1
    error = capsys.readouterr().err
    assert str(path) in error
    assert message in error
