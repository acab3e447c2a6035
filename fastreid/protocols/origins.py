"""Where people get the data sets of the protocols. Addresses may have moved since."""

from __future__ import annotations

from typing import NamedTuple


class Origin(NamedTuple):
    """Where a data set comes from.

    Attributes:
        where: page or address, and what has to be done.
        archive: file name of the published archive; "" if there is none.
        md5: its MD5, as other toolboxes publish it; "" if none was found.
    """

    where: str
    archive: str = ""
    md5: str = ""


_CUHK = "https://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html"

ORIGINS = {
    "Market1501": Origin(
        "the authors' page, https://zheng-lab.cecs.anu.edu.au/Project/project_reid.html",
        "Market-1501-v15.09.15.zip",
        # From the code of open-reid.
        "65005ab7d12ec1c44de4eeafe813e68a",
    ),
    "MSMT17": Origin(
        "on request from the authors, https://www.pkuvmc.com/dataset.html; say which version"
    ),
    "CUHK03": Origin(
        f"on request from the authors, {_CUHK}; the protocol files "
        "cuhk03_new_protocol_config_*.mat are in https://github.com/zhunzhong07/person-re-ranking"
    ),
    "cuhkSYSU": Origin(
        "on request from the authors, https://github.com/ShuangLI59/person_search; then "
        "tools/crop_cuhk_sysu.py"
    ),
    "CUHK02": Origin(f"on request from the authors, {_CUHK}"),
    "DukeMTMC": Origin(
        "nowhere: its authors withdrew it in 2019; results on it need a reason, and a copy that "
        "you have already"
    ),
    "PRID": Origin(
        "https://www.tugraz.at/institute/icg/research/team-bischof/lrs/downloads/PRID11/"
    ),
    "GRID": Origin(
        "http://personal.ie.cuhk.edu.hk/~ccloy/downloads_qmul_underground_reid.html",
        "underground_reid.zip",
    ),
    "VIPeR": Origin(
        "https://vision.soe.ucsc.edu/node/178",
        "VIPeR.v1.0.zip",
        # From the code of open-reid.
        "1c2d9fc1cc800332567a0da25a1ce68c",
    ),
    "iLIDS": Origin(
        "http://www.eecs.qmul.ac.uk/~jason/data/i-LIDS_Pedestrian.tgz", "i-LIDS_Pedestrian.tgz"
    ),
}
