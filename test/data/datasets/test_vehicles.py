"""VehicleID and VERI-Wild, which are read from lists."""

import pytest

from fastreid.config import get_cfg
from fastreid.data.datasets import DATASET_REGISTRY, load_dataset
from test.data.datasets.layouts import names_of, touch

VEHICLE_IDS = {
    "VehicleID": 13164,
    "SmallVehicleID": 800,
    "MediumVehicleID": 1600,
    "LargeVehicleID": 2400,
}
VERI_WILDS = {
    "VeRiWild": 10000,
    "SmallVeRiWild": 3000,
    "MediumVeRiWild": 5000,
    "LargeVeRiWild": 10000,
}


def write_vehicleid(root, size=800):
    folder = root / "vehicleid"
    lists = {"train_list.txt": [(12, 7), (3, 7), (5, 10)]}
    lists[f"test_list_{size}.txt"] = [(20 + n, n % 3) for n in range(12)]
    (folder / "train_test_split").mkdir(parents=True)
    for name, pairs in lists.items():
        touch(folder / "image", *(f"{image:07d}.jpg" for image, _ in pairs))
        text = "".join(f"{image:07d} {vehicle}\n" for image, vehicle in pairs)
        (folder / "train_test_split" / name).write_text(text)
    return folder / "train_test_split"


def write_veriwild(root, size=3000, header="id/image;Camera ID;Time;Model;Type;Color\n"):
    folder = root / "VERI-Wild"
    cameras = {"00003/000005": 1, "00003/000006": 12, "00007/000009": 2, "00007/000010": 5}
    touch(folder / "images", *(f"{image}.jpg" for image in cameras))
    lists = folder / "train_test_split"
    lists.mkdir()
    rows = "".join(f"{image};{camera};2018-03-11;x;y;z\n" for image, camera in cameras.items())
    (lists / "vehicle_info.txt").write_text(header + rows)
    (lists / "train_list.txt").write_text("00003/000005\n00003/000006\n")
    (lists / f"test_{size}_query.txt").write_text("00007/000009.jpg\n")
    (lists / f"test_{size}.txt").write_text("00007/000010\n")
    return lists


def load(name, root, monkeypatch, split=0):
    monkeypatch.setenv("FASTREID_DATASETS", str(root))
    cfg = get_cfg()
    cfg.DATASETS.SPLIT = split
    return load_dataset(cfg, name)


@pytest.mark.parametrize("name", VEHICLE_IDS)
def test_vehicleid_reads_the_list_of_its_size(name, tmp_path):
    write_vehicleid(tmp_path, VEHICLE_IDS[name])
    data = DATASET_REGISTRY.get(name)(tmp_path)
    assert names_of(data.train) == [
        ("0000012.jpg", f"{name}_7", f"{name}_12"),
        ("0000003.jpg", f"{name}_7", f"{name}_3"),
        ("0000005.jpg", f"{name}_10", f"{name}_5"),
    ]
    assert sorted(pid for _, pid, _ in data.gallery) == [0, 1, 2]
    assert len(data.query) == 9
    tested = [*data.query, *data.gallery]
    assert len({path for path, _, _ in tested}) == 12 == len({camid for *_, camid in tested})


def test_vehicleid_has_ten_draws_that_are_always_the_same(tmp_path, monkeypatch):
    write_vehicleid(tmp_path)
    draws = [load("SmallVehicleID", tmp_path, monkeypatch, split).gallery for split in range(10)]
    assert len({tuple(draw) for draw in draws}) > 5
    for split, draw in enumerate(draws):
        assert load("SmallVehicleID", tmp_path, monkeypatch, split).gallery == draw
    with pytest.raises(
        ValueError, match="DATASETS.SPLIT is 10; SmallVehicleID has the draws 0 to 9"
    ):
        load("SmallVehicleID", tmp_path, monkeypatch, 10)


def test_vehicleid_takes_another_test_list(tmp_path):
    lists = write_vehicleid(tmp_path)
    own = tmp_path / "own.txt"
    own.write_text("0000012 7\n0000003 7\n")
    data = DATASET_REGISTRY.get("VehicleID")(tmp_path, own)
    assert len(data.query) == len(data.gallery) == 1
    assert lists.is_dir()


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ("0000012 7 extra", ValueError, 'line 1 of .*train_list.txt is .*, not "image vehicle"'),
        ("0000012 x", ValueError, "line 1 of .*train_list.txt: 'x' is not a whole number"),
        ("0000099 7", FileNotFoundError, "the image .*0000099.jpg, listed in .*train_list.txt"),
        ("", ValueError, "the list .*train_list.txt is empty"),
    ],
)
def test_faults_of_vehicleids_lists_are_named(line, error, message, tmp_path):
    (write_vehicleid(tmp_path) / "train_list.txt").write_text(line)
    with pytest.raises(error, match=f"SmallVehicleID: {message}"):
        DATASET_REGISTRY.get("SmallVehicleID")(tmp_path).train  # noqa: B018


@pytest.mark.parametrize("header", ["id/image;Camera ID;Time;Model;Type;Color\n", ""])
@pytest.mark.parametrize("name", VERI_WILDS)
def test_veriwild_reads_cameras_from_its_table(name, header, tmp_path):
    write_veriwild(tmp_path, VERI_WILDS[name], header)
    data = DATASET_REGISTRY.get(name)(tmp_path)
    assert names_of(data.train) == [
        ("000005.jpg", f"{name}_3", f"{name}_1"),
        ("000006.jpg", f"{name}_3", f"{name}_12"),
    ]
    assert names_of(data.query) == [("000009.jpg", 7, 2)]
    assert names_of(data.gallery) == [("000010.jpg", 7, 5)]


@pytest.mark.parametrize(
    ("file", "text", "error", "message"),
    [
        ("train_list.txt", "000005\n", ValueError, "line 1 of .* is not <vehicle>/<image>"),
        ("train_list.txt", "3/99\n", ValueError, "the image 99 in line 1 of .*same release"),
        ("vehicle_info.txt", "h\n3/5;x;\n", ValueError, "line 2 of .*camera: 'x' is not"),
        ("vehicle_info.txt", "h\n3/000005;1;\n3/000006;1", FileNotFoundError, "000005.jpg, listed"),
    ],
)
def test_faults_of_veriwilds_lists_are_named(file, text, error, message, tmp_path):
    (write_veriwild(tmp_path) / file).write_text(text)
    with pytest.raises(error, match=f"SmallVeRiWild: .*{message}"):
        DATASET_REGISTRY.get("SmallVeRiWild")(tmp_path).train  # noqa: B018


@pytest.mark.parametrize("name", ["SmallVehicleID", "SmallVeRiWild"])
def test_a_missing_list_or_folder_is_named(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{name}: the folder .* is missing"):
        DATASET_REGISTRY.get(name)(tmp_path)
    write_vehicleid(tmp_path, 1600)
    write_veriwild(tmp_path, 5000)
    with pytest.raises(FileNotFoundError, match=f"{name}: the file .*_[38]000?.*txt is missing"):
        DATASET_REGISTRY.get(name)(tmp_path).query  # noqa: B018


@pytest.mark.parametrize("name", ["SmallVehicleID", "SmallVeRiWild"])
def test_vehicles_in_training_and_in_test_are_found(name, tmp_path):
    vehicle_lists, wild_lists = write_vehicleid(tmp_path), write_veriwild(tmp_path)
    data = DATASET_REGISTRY.get(name)
    assert data(tmp_path).identities_in_both() == set()
    (vehicle_lists / "train_list.txt").write_text("0000012 0000002\n0000003 7\n")
    (wild_lists / "train_list.txt").write_text("00003/000005\n00007/000009\n")
    assert data(tmp_path).identities_in_both() == {2 if name == "SmallVehicleID" else 7}


def test_veriwilds_lists_may_have_backslashes(tmp_path):
    lists = write_veriwild(tmp_path)
    data = DATASET_REGISTRY.get("SmallVeRiWild")
    expected = data(tmp_path)
    assert expected.train and expected.query
    for path in lists.iterdir():
        path.write_text(path.read_text().replace("/", "\\"))
    assert (data(tmp_path).train, data(tmp_path).query) == (expected.train, expected.query)


@pytest.mark.parametrize(
    ("name", "total"), [("Small", 41816), ("Medium", 69389), ("Large", 138517)]
)
def test_veriwilds_test_sets_have_the_published_sizes(name, total):
    published = DATASET_REGISTRY.get(f"{name}VeRiWild").published
    assert published["query"].images + published["gallery"].images == total
