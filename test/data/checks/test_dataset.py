import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastreid.config import get_cfg
from fastreid.data import check_dataset, check_for_run, check_test_sets, load_dataset
from fastreid.data.checks import USES, require_files, require_usable
from fastreid.data.datasets import DATASET_REGISTRY, Counts, ImageDataset, Market1501

RNG = np.random.default_rng(0)
FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}


@pytest.fixture
def add(tmp_path):
    """Write an image of Market1501's layout."""

    def write(split, pid, camera, number=0):
        folder = tmp_path / "Market-1501-v15.09.15" / FOLDERS[split]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{pid:04d}_c{camera}s1_{number:06d}_00.jpg"
        pixels = RNG.integers(0, 256, (16, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def market(add, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
    for pid, camera in ((1, 1), (1, 2), (2, 1), (2, 2)):
        add("train", pid, camera)
    for pid in (3, 4):
        add("query", pid, 1)
        add("gallery", pid, 2)

    def load(name="Market1501"):
        return DATASET_REGISTRY.get(name)(root=tmp_path)

    return load


@pytest.fixture
def image_list(tmp_path, monkeypatch):
    """Write an ImageList of (pid, camid, split) and give the configuration that names it."""
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))

    def write(*rows):
        lines = ["path,pid,camid,split"]
        for number, row in enumerate(rows):
            pixels = RNG.integers(0, 256, (16, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{number}.png")
            lines.append(",".join([f"{number}.png", *map(str, row)]))
        (tmp_path / "list.csv").write_text("\n".join(lines), encoding="utf-8")
        cfg = get_cfg()
        cfg.DATASETS.IMAGE_LIST = "list.csv"
        return cfg

    return write


def refusal(cfg, name, use):
    """The message with which a run refuses a data set at its start; "" if it accepts it."""
    try:
        data = load_dataset(cfg, name)
        require_usable(name, data, use=use)
    except (OSError, ValueError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("options", [{"quick": True}, {}, {"num_workers": 1}])
def test_a_data_set_without_faults_gives_counts_only(market, options):
    result = check_dataset(market(), **options)
    assert result.counts == {"train": (2, 4, 2), "query": (2, 2, 1), "gallery": (2, 2, 1)}
    assert (result.faults, result.remarks) == ([], [])
    assert result.uses == ("train", "test")


@pytest.mark.parametrize("num_workers", [0, 2])
def test_broken_files_are_faults_of_the_use_that_reads_them(market, add, num_workers):
    empty, cut = add("train", 5, 1), add("gallery", 6, 1)
    whole = cut.read_bytes()
    empty.write_bytes(b"")
    cut.write_bytes(whole[: len(whole) // 2])
    result = check_dataset(market(), num_workers=num_workers)
    of_training, of_test = result.faults
    assert of_training.startswith(
        f"Data set Market1501: Image files that are empty: 1 ({empty}). Unpack it again"
    )
    assert of_test.startswith(f"Test set Market1501: Image files that cannot be read: 1 ({cut} (")
    assert check_dataset(market(), quick=True).faults == [of_training]
    assert check_dataset(market(), uses=["test"], num_workers=num_workers).faults == [of_test]


ONE_CAMERA = [(1, 1, "query"), (1, 1, "gallery")]
OTHERS = [(1, 1, "query"), (2, 2, "gallery")]
TEST_ONLY = [(1, 1, "query"), (1, 2, "gallery")]
TRAIN_ONLY = [(1, 1, "train"), (1, 2, "train")]


@pytest.mark.parametrize(
    ("rows", "use", "reported"),
    [
        (ONE_CAMERA, "test", "All images are from one camera (1)"),
        (OTHERS, "test", "1 of 1 query identities are not in the gallery (1)"),
        (TEST_ONLY, "test", ""),
        (TEST_ONLY, "train", "The data set ImageList has no training images."),
        (TRAIN_ONLY, "train", ""),
        (TRAIN_ONLY, "test", "has 0 query and 0 gallery images; it needs both."),
        (TEST_ONLY[:1], "test", "has 1 query and 0 gallery images; it needs both."),
        (TEST_ONLY[1:], "test", "has 0 query and 1 gallery images; it needs both."),
    ],
)
def test_the_check_and_a_run_give_the_same_messages(image_list, rows, use, reported):
    cfg = image_list(*rows)
    result = check_for_run(cfg, "ImageList", uses=[use], quick=True)
    assert " ".join(result.faults) == refusal(cfg, "ImageList", use)
    assert reported in " ".join(result.faults)
    assert bool(result.faults) == bool(reported)


@pytest.mark.parametrize(("rows", "uses"), [(TEST_ONLY, ("test",)), (TRAIN_ONLY, ("train",))])
def test_a_set_is_checked_for_what_it_has_images_for(image_list, rows, uses):
    result = check_for_run(image_list(*rows), "ImageList")
    assert (result.uses, result.faults, result.remarks) == (uses, [], [])
    assert set(result.counts) == {split for use in uses for split in USES[use]}


def test_a_set_without_test_folders_is_checked_for_training_only(market, tmp_path):
    for folder in ("query", "bounding_box_test"):
        (tmp_path / "Market-1501-v15.09.15" / folder).rename(tmp_path / folder)
    result = check_dataset(market(), quick=True)
    assert (result.uses, result.faults) == (("train",), [])
    (remark,) = result.remarks
    assert remark.startswith("Not checked for test: Market1501: the folder ")
    (fault,) = check_dataset(market(), uses=["test"], quick=True).faults
    assert fault == refusal(get_cfg(), "Market1501", "test")


def test_a_split_that_cannot_be_read_is_a_fault_with_the_message_of_a_run(market, tmp_path):
    (tmp_path / "Market-1501-v15.09.15" / "query" / "person.jpg").touch()
    result = check_dataset(market(), quick=True)
    assert result.faults == [refusal(get_cfg(), "Market1501", "test")]
    assert "person.jpg does not start with" in result.faults[0]
    assert set(result.counts) == {"train"}


def test_a_missing_set_is_a_fault_and_an_unknown_name_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path / "none"))
    result = check_for_run(get_cfg(), "Market1501")
    assert result.faults == [refusal(get_cfg(), "Market1501", "train")]
    with pytest.raises(KeyError, match="no 'Market'"):
        check_for_run(get_cfg(), "Market")
    with pytest.raises(ValueError, match="cannot be checked for 'tests'"):
        check_dataset(None, name="x", uses=["tests"])


def test_too_few_identities_for_the_sampler_are_a_fault_if_a_configuration_is_given(market):
    cfg = get_cfg()
    cfg.DATALOADER.SAMPLER_TRAIN = "NaiveIdentitySampler"
    cfg.DATALOADER.NUM_INSTANCE, cfg.SOLVER.IMS_PER_BATCH = 2, 8
    cfg.DATASETS.NAMES = ("Market1501",)
    assert check_for_run(cfg, "Market1501", quick=True).faults == []
    (fault,) = check_for_run(cfg, "Market1501", quick=True, with_sampler=True).faults
    assert "identities" in fault
    cfg.SOLVER.IMS_PER_BATCH = 4
    assert check_for_run(cfg, "Market1501", quick=True, with_sampler=True).faults == []
    cfg.DATALOADER.SAMPLER_TRAIN, cfg.SOLVER.IMS_PER_BATCH = "TrainingSampler", 64
    (fault,) = check_for_run(cfg, "Market1501", quick=True, with_sampler=True).faults
    assert fault.startswith("The training sets ('Market1501',) have 4 images, fewer than")


@pytest.mark.parametrize(
    ("names", "key", "counts", "reported"),
    [
        (["Market1501"], "NUM_CLASSES", 3, "MODEL.HEADS.NUM_CLASSES is [3], but the training sets"),
        (["Market1501"], "CLASSES_PER_DOMAIN", [2, 2], "ACL needs two or more source domains"),
        (["Market1501"] * 2, "NUM_CLASSES", 2, "lists ['Market1501'] more than once"),
        (["Other"], "NUM_CLASSES", 3, ""),
    ],
)
def test_class_counts_that_a_run_would_reject_are_faults(market, names, key, counts, reported):
    market()
    cfg = get_cfg()
    cfg.DATALOADER.SAMPLER_TRAIN, cfg.SOLVER.IMS_PER_BATCH = "TrainingSampler", 2
    cfg.DATASETS.NAMES, cfg.MODEL.HEADS[key] = tuple(names), counts
    if key == "CLASSES_PER_DOMAIN":
        cfg.MODEL.HEADS.NAME, cfg.SOLVER.META.PERIOD = "MetaEmbeddingHead", 0
    faults = check_for_run(cfg, "Market1501", quick=True, with_sampler=True).faults
    assert len(faults) == bool(reported)
    assert all(reported in fault for fault in faults)


def test_a_class_without_combineall_can_be_used_for_evaluation(image_list, own_registries):
    cfg = image_list(*TEST_ONLY)

    class Plain(ImageDataset):
        def __init__(self, root):
            data = load_dataset(cfg, "ImageList")
            super().__init__([], data.query, data.gallery)

    DATASET_REGISTRY.register(Plain)
    cfg.DATASETS.COMBINEALL = True
    assert check_for_run(cfg, "Plain", uses=["test"], quick=True).faults == []
    (fault,) = check_for_run(cfg, "Plain", uses=["train"], quick=True).faults
    assert "does not take combineall" in fault


def test_identities_in_training_and_in_test_are_a_remark(market, add):
    add("train", 3, 1)
    add("train", 3, 2)
    result = check_dataset(market(), quick=True)
    assert result.faults == []
    assert result.remarks == [
        "Test identities that are training identities too: 1 (3). Do not use this set to test "
        "a model that was trained on it."
    ]


def test_identities_in_training_and_in_test_by_protocol_are_a_remark_without_advice(tmp_path):
    folders = ("cuhk_sysu/cropped_images", "cuhksysu4reid/query", "cuhksysu4reid/gallery")
    for number, folder in enumerate(folders):
        (tmp_path / folder).mkdir(parents=True)
        pixels = np.full((8, 8, 3), 40 * number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / folder / "p7_s1.jpg")
    result = check_dataset(DATASET_REGISTRY.get("cuhkSYSU")(root=tmp_path))
    assert result.faults == []
    assert "Test identities that are training identities too: 1 (7)." in result.remarks


def test_identities_with_few_images_or_cameras_are_a_remark(market, add):
    add("train", 8, 1)
    remarks = check_dataset(market(), quick=True).remarks
    assert "Training identities with a single image: 1 of 3." in remarks
    assert "Training identities seen by one camera only: 1 of 3." in remarks


def test_a_test_image_that_is_in_training_under_another_name_is_a_remark(market, add):
    source, copy = add("train", 1, 3), add("gallery", 9, 1)
    copy.write_bytes(source.read_bytes())
    result = check_dataset(market())
    assert any(
        r.startswith("Files in training and in test, under two names: 1") for r in result.remarks
    )


def test_an_image_in_several_formats_is_a_remark(market, add):
    path = add("train", 1, 3)
    Image.new("RGB", (8, 16)).save(path.with_suffix(".PNG"))
    (remark,) = check_dataset(market(), quick=True).remarks
    assert remark.startswith("Images that exist in several formats, each of which is used: 1 (")
    assert f"{path.with_suffix('.PNG')} and {path}" in remark


def test_unusual_images_are_counted(market, add):
    path = add("train", 1, 4)
    Image.new("CMYK", (8, 16)).save(path)
    remarks = check_dataset(market()).remarks
    assert "Images of unusual kinds, which are converted to upright 8-bit RGB (CMYK: 1)." in remarks


def test_counts_near_the_published_ones_but_not_equal_are_a_remark(market, monkeypatch):
    monkeypatch.setattr(Market1501, "published", {"train": Counts(2, 5)})
    data = market()
    expected = "train: 2 identities and 4 images; the published set has 2 and 5."
    assert expected in check_dataset(data, quick=True).remarks


def test_files_that_a_data_set_skips_are_a_remark(market, add, caplog):
    folder = add("train", 1, 5).parent
    (folder / "again").symlink_to(folder)
    (folder / "notes.docx").touch()
    (folder / "Thumbs.db").touch()
    caplog.set_level(logging.INFO)
    result = check_dataset(market(), quick=True)
    assert result.faults == []
    assert result.remarks == [
        f"Skipped in {folder}: 1 system and readme files (Thumbs.db); 1 folders, which are not "
        "searched (again); 1 files without the suffix of an image format (notes.docx)."
    ]
    assert "notes.docx" in caplog.text
    assert "Thumbs.db" not in caplog.text


def test_training_does_not_start_with_empty_files_unless_they_may_be_skipped(market, add, caplog):
    path, _ = add("train", 5, 1), add("train", 5, 2)
    Path(path).write_bytes(b"")
    with pytest.raises(
        ValueError, match=rf"Data set M: Image files that are empty: 1 \({path}\). Unpack"
    ):
        require_usable("M", market(), use="train")
    require_usable("M", market(), use="train", skips_unreadable=True)
    assert f"Data set M: Image files that are empty: 1 ({path})." in caplog.text
    result = check_dataset(market(), quick=True, skips_unreadable=True)
    assert (len(result.faults), len(result.remarks)) == (0, 1)


def test_an_identity_that_only_has_broken_images_cannot_be_skipped(market, add):
    add("train", 5, 1).write_bytes(b"")
    (fault,) = check_dataset(market(), quick=True, skips_unreadable=True).faults
    assert "Training identities without any other image: 1 (Market1501_5)" in fault
    with pytest.raises(ValueError, match="without any other image"):
        require_usable("Market1501", market(), use="train", skips_unreadable=True)


def test_test_sets_are_checked_before_training(market, add):
    check_test_sets(get_cfg())
    path = add("query", 3, 4)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"Test set Market1501: .* empty: 1 \({path}\). Unpack"):
        check_test_sets(get_cfg())
    path.unlink()
    for image in (path.parent.parent / "bounding_box_test").iterdir():
        image.unlink()
    add("gallery", 9, 1)
    with pytest.raises(ValueError, match="No query of the test set Market1501 has a match"):
        check_test_sets(get_cfg())


def test_unknown_names_of_test_sets_are_an_error_before_any_set_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path / "none"))
    cfg = get_cfg()
    cfg.DATASETS.TESTS = ("Market1501", "Marked1501")
    with pytest.raises(KeyError, match="no 'Marked1501'"):
        check_test_sets(cfg)


def test_missing_and_empty_files_of_any_images_are_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    require_files([str(tmp_path / "a.jpg")])
    with pytest.raises(ValueError, match=r"Image files that do not exist: 1 \(.*b\.jpg\)"):
        require_files([str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")])
