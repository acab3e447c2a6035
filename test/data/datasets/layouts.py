"""Tiny data sets of empty files: loaders look at names only."""

import json
from pathlib import Path


def touch(folder, *names):
    for name in names:
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write_market(root):
    folder = root / "Market-1501-v15.09.15"
    touch(
        folder / "bounding_box_train",
        "0007_c3s1_000451_03.jpg",
        "0002_c1s1_000451_03.jpg",
        "0002_c6s2_000776_01.jpg",
        "-1_c1s1_000401_03.jpg",
        "Thumbs.db",
    )
    touch(folder / "query", "0001_c1s1_001051_00.jpg")
    touch(
        folder / "bounding_box_test",
        "0001_c2s1_001976_01.jpg",
        "0000_c4s1_000151_01.jpg",
        "-1_c2s1_000301_01.jpg",
    )
    return folder


def write_msmt(root, version="MSMT17_V1", train="train", test="test"):
    folder = root / version
    lists = {
        "list_train.txt": (
            train,
            [("0001/0001_000_02_m_0.jpg", 1), ("0000/0000_000_15_m_0.jpg", 0)],
        ),
        "list_val.txt": (train, [("0000/0000_001_01_m_0.jpg", 0)]),
        "list_query.txt": (test, [("0000/0000_000_01_m_0.jpg", 0)]),
        "list_gallery.txt": (
            test,
            [("0000/0000_001_04_m_0.jpg", 0), ("0001/0001_000_03_m_0.jpg", 1)],
        ),
    }
    for name, (images, entries) in lists.items():
        touch(folder / images, *(image for image, _ in entries))
        (folder / name).write_text("".join(f"{image} {pid}\n" for image, pid in entries))
    return folder


def write_cuhk03_splits(root, written_at="/home/someone/datasets/cuhk03_new"):
    """Prepared images and JSON, as from another machine."""
    folder = root / "cuhk03_new"
    train = [("1_001_1_01.png", 0, 0), ("1_001_2_06.png", 0, 1), ("2_001_1_01.png", 1, 0)]
    query, gallery = [("1_002_1_01.png", 41, 0)], [("1_002_2_06.png", 41, 1)]
    touch(folder / "images_labeled", *(name for name, _, _ in train + query + gallery))
    split = {
        part: [[f"{written_at}/images_labeled/{name}", pid, camid] for name, pid, camid in items]
        for part, items in (("train", train), ("query", query), ("gallery", gallery))
    }
    (folder / "splits_new_labeled.json").write_text(json.dumps([split]))
    return folder


def write_sysu(root):
    touch(root / "cuhk_sysu" / "cropped_images", "p100_s1_2.jpg", "p7_s3_4.jpg", "p7_s5_1.jpg")
    touch(root / "cuhksysu4reid" / "train", "00003_s1_0000000_0.jpg")
    touch(root / "cuhksysu4reid" / "query", "00005_s2_0000000_0.jpg")
    touch(root / "cuhksysu4reid" / "gallery", "00005_s4_0000001_0.jpg")


def names_of(items):
    """Items with file names in place of paths."""
    return [(Path(path).name, pid, camid) for path, pid, camid in items]
