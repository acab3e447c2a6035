"""The table of the data sets whose demo pictures are named by templates."""

from __future__ import annotations

from .lists import (
    write_airport_list,
    write_grid_partitions,
    write_open_reid_files,
    write_vehicleid_lists,
    write_veriwild_lists,
)
from .templates import Files, Finish, Template

_NUMBERS = ("1", "2", "3", "4", "5", "6")
_SIX = tuple(f"cam{number}" for number in _NUMBERS)
_AB = ("cam_a", "cam_b")
_ONE = ("",)


def _market_like(folder: str, name: str, *splits: str) -> tuple[Template]:
    """Three folders whose files are named like those of Market-1501."""
    whos = ("train", "query", "gallery")
    files = [Files(who, f"{split}/{name}", _NUMBERS) for who, split in zip(whos, splits)]
    return (Template(folder, files),)


def _train_only(
    folder: str,
    path: str,
    cameras: tuple[str, ...],
    *,
    first_pid: int = 1,
    finish: Finish | None = None,
) -> tuple[Template]:
    files = [Files("train", path, cameras)]
    return (Template(folder, files, first_pid=first_pid, finish=finish),)


def _query_and_gallery(folder: str, query: str, gallery: str) -> tuple[Template]:
    name = "{pid:03d}_{n:03d}.jpg"
    whos = {"query": query, "gallery": gallery}
    files = [Files(who, f"{split}/{name}", _NUMBERS[:2]) for who, split in whos.items()]
    return (Template(folder, files),)


def _cuhk02(folder: str) -> tuple[Template]:
    name = "{cam}/{pid:03d}_{count:05d}.png"
    train = [
        Files("train", f"Dataset/P{pair + 1}/{name}", _SIX[:2], share=(pair, 4))
        for pair in range(4)
    ]
    return (Template(folder, [*train, Files("test", f"Dataset/P5/{name}", _SIX[:2])]),)


_PRID_NAME = "single_shot/{cam}/person_{pid:04d}.png"
_PRID = Template(
    "prid_2011",
    [
        Files("train", _PRID_NAME, _AB),
        Files("test", _PRID_NAME, _AB),
        Files("distractors", "single_shot/cam_b/person_020{n}.png", _AB),
        Files("train", "slim_train/person_{pid:04d}/{cam}_{n:04d}.png", ("1", "2")),
    ],
    one_per_camera=True,
    most_ids=100,
)
_GRID_NAME = "{pid:04d}_{cam}_{count:05d}_1_2_3_4.jpeg"
_GRID = Template(
    "underground_reid",
    [
        # Each person has a picture from camera 1 in probe and one from camera 2 in gallery.
        *(
            Files(who, f"{part}/{_GRID_NAME}", ("1", "2"), only=camera)
            for who in ("train", "test")
            for part, camera in (("probe", "1"), ("gallery", "2"))
        ),
        Files("distractors", f"gallery/{_GRID_NAME}", ("3",)),
        Files("train", f"images/{_GRID_NAME}", ("1", "2")),
    ],
    one_per_camera=True,
    finish=write_grid_partitions,
)
_VIPER = Template(
    "VIPeR",
    [Files(who, "{cam}/{pid:03d}_{n:02d}0.bmp", _AB) for who in ("train", "test")],
    one_per_camera=True,
)

# Registered name -> its folders. Names that read the folders of another one are below.
TEMPLATES: dict[str, tuple[Template, ...]] = {
    "DukeMTMC": _market_like(
        "DukeMTMC-reID",
        "{pid:04d}_c{cam}_f{count:07d}.jpg",
        *("bounding_box_train", "query", "bounding_box_test"),
    ),
    "OccludedDuke": _market_like(
        "Occluded_Duke",
        "{pid:04d}_c{cam}_f{count:07d}.jpg",
        *("bounding_box_train", "query", "bounding_box_test"),
    ),
    "CUHK02": _cuhk02("cuhk02"),
    "CUHK03FULL": (
        Template(
            "cuhk03",
            [
                Files(who, "cuhk03_release/images/{pid:05d}_{cam}_{n:04d}.png", ("00", "01"))
                for who in ("train", "test")
            ],
            first_pid=0,
            finish=write_open_reid_files,
        ),
    ),
    "PRID": (_PRID,),
    "GRID": (_GRID,),
    "VIPeR": (_VIPER,),
    "iLIDS": (
        Template(
            "i-LIDS_Pedestrian",
            [Files(who, "Persons/{pid:04d}{n:03d}.jpg", _NUMBERS) for who in ("train", "test")],
        ),
        *_train_only("iLIDS", "{pid}/{cam}_{n}.png", _NUMBERS),
    ),
    "OccludedREID": _query_and_gallery("OccludedREID", "query", "gallery"),
    "PartialREID": _query_and_gallery("Partial_REID", "partial_body_images", "whole_body_images"),
    "PartialiLIDS": _query_and_gallery("PartialiLIDS", "query", "gallery"),
    "AirportALERT": _train_only(
        "AirportALERT",
        "{cam}/{pid}/{n}.jpg",
        _SIX,
        first_pid=11001,
        finish=write_airport_list,
    ),
    "PKU": _train_only("PKUv1a_128x48", "{pid:04d}_{cam}_{n}.png", _NUMBERS[:2]),
    "PRAI": _train_only("PRAI-1581", "images/{pid:08d}_{cam}_{n}.jpg", _NUMBERS[:2]),
    "SAIVT": _train_only(
        "SAIVT-SoftBio", "cropped_images/{pid:03d}/{pid:04d}-c-{cam}-{n}.jpeg", _NUMBERS
    ),
    "SenseReID": (
        Template(
            "SenseReID",
            [
                Files("train", "test_gallery/{pid:05d}_{cam}.jpg", ("0", "1"), only="1"),
                Files("train", "test_prob/{pid:05d}_{cam}.jpg", ("0", "1"), only="0"),
            ],
            one_per_camera=True,
        ),
    ),
    "SYSU_mm": (
        Template(
            "SYSU-MM01",
            [Files("train", "{cam}/{pid:04d}/{n:04d}.jpg", ("cam1", "cam2", "cam4", "cam5"))],
            one_per_camera=True,
        ),
    ),
    "Thermalworld": _train_only("thermalworld_rgb", "{pid}/{n}.jpg", _ONE),
    "PeS3D": _train_only("3DPeS", "{pid}/{n}.bmp", _ONE),
    "CAVIARa": _train_only("CAVIARa", "{pid:04d}{n:03d}.jpg", _ONE),
    "LPW": (
        Template(
            "pep_256x128",
            [
                Files(
                    "train",
                    f"data_slim/scen{scene + 1}/{{cam}}/{{pid}}/{{n}}.jpg",
                    (f"view{scene + 1}", f"view{scene + 4}"),
                    share=(scene, 3),
                )
                for scene in range(3)
            ],
        ),
    ),
    "Shinpuhkan": _train_only("shinpuhkan", "all/{pid:04d}_001_{cam}_{n:04d}.jpg", _NUMBERS),
    "WildTrackCrop": _train_only(
        "Wildtrack_crop_dataset", "crop/{pid}/{cam}_{n:08d}.png", _NUMBERS
    ),
    "VeRi": _market_like(
        "veri",
        "{pid:04d}_c00{cam}_{count:08d}_0.jpg",
        *("image_train", "image_query", "image_test"),
    ),
    "VehicleID": (
        Template(
            "vehicleid",
            [Files(who, "image/{count:07d}.jpg", _ONE) for who in ("train", "test")],
            finish=write_vehicleid_lists,
        ),
    ),
    "VeRiWild": (
        Template(
            "VERI-Wild",
            [
                Files(who, "images/{pid:05d}/{count:06d}.jpg", _NUMBERS)
                for who in ("train", "query", "gallery")
            ],
            finish=write_veriwild_lists,
        ),
    ),
}

SAME_FOLDERS = {
    **{f"{size}VehicleID": "VehicleID" for size in ("Small", "Medium", "Large")},
    **{f"{size}VeRiWild": "VeRiWild" for size in ("Small", "Medium", "Large")},
}
