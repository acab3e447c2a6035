"""Tiny releases of PRID, GRID, VIPeR and i-LIDS with empty files."""

import numpy as np
from scipy import io

from fastreid.config import get_cfg
from fastreid.data.datasets import load_dataset
from test.data.datasets.layouts import touch


def write_prid(root, shared=6, distractors=3):
    folder = root / "prid_2011" / "single_shot"
    seen_by_both = [f"person_{pid:04d}.png" for pid in range(1, shared + 1)]
    others = [f"person_{pid:04d}.png" for pid in range(201, 201 + distractors)]
    for camera in ("cam_a", "cam_b"):
        touch(folder / camera, *seen_by_both, *others)


def write_slim_prid(root):
    touch(root / "prid_2011" / "slim_train", "person_0007/a_01.png", "person_0012/b_03.png")


def write_grid(root, pids=4, distractors=2, splits=((1, 3), (2, 4))):
    folder = root / "underground_reid"
    for pid in range(1, pids + 1):
        touch(folder / "probe", f"{pid:04d}_1_25004_107_32_106_221.jpeg")
        touch(folder / "gallery", f"{pid:04d}_{1 + pid}_25023_116_134_128_330.jpeg")
    touch(folder / "gallery", *(f"0000_8_{number}_1_2_3_4.jpeg" for number in range(distractors)))
    write_partitions(folder / "features_and_partitions.mat", splits)


def write_partitions(path, splits):
    """The variable trainIdxAll of the release: a cell of structs, training identities third."""
    cells = np.empty((1, len(splits)), object)
    for number, pids in enumerate(splits):
        cells[0, number] = {"a": 1.0, "b": 2.0, "train": np.array([pids], np.uint16), "d": 3.0}
    io.savemat(path, {"trainIdxAll": cells})


def write_viper(root, pids=6):
    for camera, angle in (("cam_a", 0), ("cam_b", 90)):
        touch(root / "VIPeR" / camera, *(f"{7 * pid:03d}_{angle + pid}.bmp" for pid in range(pids)))


def write_ilids(root, pids=5):
    for pid in range(1, pids + 1):
        names = (f"{pid:04d}{image:03d}.jpg" for image in range(1, 2 + pid % 3 + 1))
        touch(root / "i-LIDS_Pedestrian" / "Persons", *names)


def write_whole_ilids(root):
    touch(root / "iLIDS", "1/0_1.png", "1/3_7.png", "12/0_2.png")


WRITERS = {
    "PRID": write_prid,
    "GRID": write_grid,
    "VIPeR": write_viper,
    "iLIDS": write_ilids,
}


def load(name, root, monkeypatch, split=0, *, combineall=False):
    monkeypatch.setenv("FASTREID_DATASETS", str(root))
    cfg = get_cfg()
    cfg.DATASETS.SPLIT = split
    return load_dataset(cfg, name, combineall=combineall)
