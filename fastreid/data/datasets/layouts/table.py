"""The table of data sets whose paths contain identity and camera; add yours here.

Each row is a ``Layout``: registered name, folder, where the images of its splits are, and a regular
expression that finds identity and camera in their paths.
"""

from __future__ import annotations

from ..counts import Counts
from .dataset import Layout
from .parts import Part

# Names such as 0002_c1_f0046182.jpg: identity and camera as numbers, cameras from 1.
_NUMBERS = r"[^/]+/0*(?P<pid>[0-9]+)_c0*(?P<camid>[0-9]+)"
# Names such as 0001_2_anything: identity and camera as they are written.
_WORDS = r"(?P<pid>[^/_]+)_(?P<camid>[^/_]+)_"
# Names such as 001_02.jpg.
_PERSON_AND_IMAGE = r"[^/]+/(?P<pid>-?[0-9]+)_(?P<camid>[0-9]+)"


def _market_like(*folders: str) -> dict[str, Part]:
    """Splits in three folders, with names like those of Market-1501."""
    splits = zip(("train", "query", "gallery"), folders)
    return {split: Part((folder,), _NUMBERS, first_camera=1) for split, folder in splits}


LAYOUTS = (
    # Persons, with a test split.
    Layout(
        "DukeMTMC",
        "DukeMTMC-reID",
        "Zheng et al., ICCV 2017",
        "Ristani et al., ECCV workshops 2016; 8 cameras. Withdrawn in 2019.",
        _market_like("bounding_box_train", "query", "bounding_box_test"),
        published={
            "train": Counts(702, 16522),
            "query": Counts(702, 2228),
            "gallery": Counts(1110, 17661),
        },
    ),
    Layout(
        "OccludedDuke",
        "Occluded_Duke",
        "Miao et al., ICCV 2019",
        "Another division of DukeMTMC-reID, whose queries are occluded.",
        _market_like("bounding_box_train", "query", "bounding_box_test"),
        published={
            "train": Counts(702, 15618),
            "query": Counts(519, 2210),
            "gallery": Counts(1110, 17661),
        },
    ),
    Layout(
        "CUHK02",
        "cuhk02",
        "Li and Wang, CVPR 2013",
        "Five pairs of cameras with 971, 306, 107, 193 and 239 persons. Pairs 1 to 4 are for "
        "training, pair 5 for testing; persons are numbered in each pair.",
        {
            "train": Part(
                tuple(f"Dataset/P{pair}/cam{side}" for pair in range(1, 5) for side in (1, 2)),
                r"Dataset/(?P<pair>P[1-4])/(?P<camid>cam[12])/(?P<pid>[0-9]+)_",
                pid="{pair}-{pid}",
                camid="{pair}-{camid}",
            ),
            "query": Part(
                ("Dataset/P5/cam1",),
                r"Dataset/P5/cam1/(?P<pid>[0-9]+)_",
                pid="P5-{pid}",
                camid="P5-cam1",
            ),
            "gallery": Part(
                ("Dataset/P5/cam2",),
                r"Dataset/P5/cam2/(?P<pid>[0-9]+)_",
                pid="P5-{pid}",
                camid="P5-cam2",
            ),
        },
        published={
            "train": Counts(1577, 6308),
            "query": Counts(239, 478),
            "gallery": Counts(239, 478),
        },
    ),
    # Persons, for testing only.
    Layout(
        "OccludedREID",
        "OccludedREID",
        "Zhuo et al., ICME 2018",
        "200 persons, each with 5 occluded and 5 full images.",
        {
            "query": Part(("query",), _PERSON_AND_IMAGE),
            "gallery": Part(("gallery",), _PERSON_AND_IMAGE),
        },
        published={"query": Counts(200, 1000), "gallery": Counts(200, 1000)},
    ),
    Layout(
        "PartialREID",
        "Partial_REID",
        "Zheng et al., ICCV 2015",
        "60 persons, each with 5 partial and 5 full images.",
        {
            "query": Part(("partial_body_images",), _PERSON_AND_IMAGE),
            "gallery": Part(("whole_body_images",), _PERSON_AND_IMAGE),
        },
        published={"query": Counts(60, 300), "gallery": Counts(60, 300)},
    ),
    Layout(
        "PartialiLIDS",
        "PartialiLIDS",
        "Zheng et al., CVPR 2011",
        "119 persons, each with a partial and a full image.",
        {
            "query": Part(("query",), _PERSON_AND_IMAGE),
            "gallery": Part(("gallery",), _PERSON_AND_IMAGE),
        },
        published={"query": Counts(119, 119), "gallery": Counts(119, 119)},
    ),
    # Persons, for training only.
    Layout(
        "AirportALERT",
        "AirportALERT",
        "Karanam et al., TPAMI 2019",
        "6 cameras in an airport. Persons below 11001 are left out, as in fast-reid.",
        {
            "train": Part(
                (".",),
                r"(?P<camid>[^/]+)/(?P<pid>[^/]+)/",
                pids=(11001, 2**63 - 1),
                list_file="filepath.txt",
            ),
        },
    ),
    Layout(
        "PKU",
        "PKUv1a_128x48",
        "Ma et al., ICIG 2015",
        "2 cameras.",
        {
            "train": Part((".",), _WORDS),
        },
        published={"train": Counts(114, 1824)},
    ),
    Layout(
        "PRAI",
        "PRAI-1581",
        "Zhang et al., IEEE Transactions on Multimedia 2020",
        "Seen from two drones.",
        {
            "train": Part(("images",), rf"images/{_WORDS}"),
        },
        published={"train": Counts(1581, 39461)},
    ),
    Layout(
        "SAIVT",
        "SAIVT-SoftBio",
        "Bialkowski et al., DICTA 2012",
        "8 cameras.",
        {
            "train": Part(
                ("cropped_images",),
                r"cropped_images/(?P<pid>[^/]+)/[^/-]*-[^/-]*-(?P<camid>[^/-]+)-",
            ),
        },
    ),
    Layout(
        "SenseReID",
        "SenseReID",
        "Zhao et al., CVPR 2017",
        "2 cameras.",
        {
            "train": Part(
                ("test_gallery", "test_prob|test_probe"),
                r"[^/]+/(?P<pid>[^/_]+)_(?P<camid>[^/_.]+)",
            ),
        },
        published={"train": Counts(1717, 4428)},
    ),
    Layout(
        "SYSU_mm",
        "SYSU-MM01",
        "Wu et al., ICCV 2017",
        "The four cameras of visible light, without the two infrared ones.",
        {
            "train": Part(("cam1", "cam2", "cam4", "cam5"), r"(?P<camid>[^/]+)/(?P<pid>[^/]+)/"),
        },
    ),
    Layout(
        "Thermalworld",
        "thermalworld_rgb",
        "Kniaz et al., ECCV workshops 2018",
        "The colour images. The cameras are unknown.",
        {
            "train": Part((".",), r"(?P<pid>[^/]+)/", camid="cam0"),
        },
    ),
    Layout(
        "PeS3D",
        "3DPeS",
        "Baltieri et al., J-HGBU 2011",
        "The cameras are unknown.",
        {
            "train": Part((".",), r"(?P<pid>[^/]+)/", camid="cam0"),
        },
        published={"train": Counts(192, 1011)},
    ),
    Layout(
        "CAVIARa",
        "CAVIARa",
        "Cheng et al., BMVC 2011 (CAVIAR4REID)",
        "The cameras are unknown.",
        {
            "train": Part((".",), r"(?P<pid>[0-9]{4})", camid="cam0"),
        },
        published={"train": Counts(72, 1220)},
    ),
    Layout(
        "LPW",
        "pep_256x128/data_slim",
        "Song et al., AAAI 2018",
        "Three scenes, 11 cameras. Persons are numbered in each scene. fast-reid's selection of "
        "the images.",
        {
            "train": Part(
                ("scen1", "scen2", "scen3"),
                r"(?P<scene>[^/]+)/(?P<camid>[^/]+)/(?P<pid>[^/]+)/",
                pid="{scene}-{pid}",
            ),
        },
    ),
    Layout(
        "Shinpuhkan",
        "shinpuhkan",
        "Kawanishi et al., FCV 2014",
        "16 cameras.",
        {
            "train": Part((".",), r"(?:.*/)?(?P<pid>[^/_]+)_[^/_]*_(?P<camid>[^/_.]+)[^/]*$"),
        },
        published={"train": Counts(24, 22504)},
    ),
    Layout(
        "WildTrackCrop",
        "Wildtrack_crop_dataset",
        "Chavdarova et al., CVPR 2018",
        "7 cameras. Persons cut from the frames.",
        {
            "train": Part(("crop",), r"crop/(?P<pid>[^/]+)/(?P<camid>[^/_]+)_"),
        },
        published={"train": Counts(313, 33979)},
        counts_source="fast-reid",
    ),
    # Vehicles.
    Layout(
        "VeRi",
        "veri",
        "Liu et al., ECCV 2016 (VeRi-776)",
        "20 cameras.",
        _market_like("image_train", "image_query", "image_test"),
        published={
            "train": Counts(576, 37778),
            "query": Counts(200, 1678),
            "gallery": Counts(200, 11579),
        },
    ),
)
