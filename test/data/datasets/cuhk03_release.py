"""A tiny release of CUHK03."""

import numpy as np
import pytest
from scipy import io

# Camera pair, person, cell -> gray value; persons 1_002 and 2_002 are there to be found.
CELLS = {
    (1, 1, 1): 10,
    (1, 1, 6): 20,
    (1, 2, 1): 30,
    (1, 2, 6): 40,
    (1, 2, 7): 50,
    (2, 1, 1): 60,
    (2, 2, 10): 70,
}
NAMES = [
    f"{pair}_{person:03d}_{1 if cell <= 5 else 2}_{cell:02d}.png" for pair, person, cell in CELLS
]


def write_release(root, splits=((1, 2), (2, 2))):
    """cuhk-03.mat as MATLAB 7.3 writes it: references, and axes in reverse order."""
    h5py = pytest.importorskip("h5py")
    folder = root / "cuhk03_new" / "cuhk03_release"
    folder.mkdir(parents=True)
    with h5py.File(folder / "cuhk-03.mat", "w") as mat:

        def store(values):
            members = mat.require_group("#refs#")
            return members.create_dataset(str(len(members)), data=values).ref

        for kind in ("labeled", "detected"):
            pairs = np.empty((1, 2), h5py.ref_dtype)
            for pair in (1, 2):
                cells = np.empty((10, 2), h5py.ref_dtype)
                for person in (1, 2):
                    for cell in range(1, 11):
                        gray = CELLS.get((pair, person, cell))
                        empty = np.zeros(2, np.uint64)
                        image = empty if gray is None else np.full((3, 4, 8), gray, np.uint8)
                        cells[cell - 1, person - 1] = store(image)
                pairs[0, pair - 1] = store(cells)
            mat[kind] = pairs
        testsets = np.empty((1, 20), h5py.ref_dtype)
        testsets[0] = [store(np.array(splits, float).T) for _ in range(20)]
        mat["testsets"] = testsets
    return folder / "cuhk-03.mat"


def write_protocol(root, boxes="labeled"):
    files = np.empty((len(NAMES), 1), object)
    files[:, 0] = NAMES
    table = {
        "filelist": files,
        "labels": np.array([[5, 5, 9, 9, 9, 3, 4]], float).T,
        "train_idx": np.array([[1, 2, 6]], float).T,
        "query_idx": np.array([[3, 7]], float).T,
        "gallery_idx": np.array([[4, 5]], float).T,
    }
    path = root / "cuhk03_new" / f"cuhk03_new_protocol_config_{boxes}.mat"
    io.savemat(path, table)
    return path
