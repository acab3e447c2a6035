"""Demo data: small re-identification data sets of drawn persons, in the layouts of real data sets.

`build` makes them; `population` defines the persons and cameras of a data set; `market1501`,
`msmt17`, `cuhk03` and `cuhk_sysu` write its files; `other_sets` is a table of file names for all
other data sets, which `templates` and `lists` write; `drawing` renders the pictures. The package is
used by tools/make_demo_data.py, tools/demo.py and tests; it is not installed with fastreid.
"""

from .build import ALL_DATASETS, DEMO_DATASETS, SMALL, Made, make_demo_data
from .population import Sizes

__all__ = ["ALL_DATASETS", "DEMO_DATASETS", "SMALL", "Made", "Sizes", "make_demo_data"]
