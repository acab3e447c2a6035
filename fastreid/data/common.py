"""The images of one or several data sets with integer labels, as a loader takes them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from fastreid.utils.labels import LabelNames, whole_number

from .pipeline.preparation import ImageTransform

logger = logging.getLogger(__name__)

BATCH_COLUMNS = ("images", "targets", "camids", "domainids", "img_paths")


class CommDataset:
    """Images with class, camera and domain numbers (fast-reid's ``CommDataset``).

    Classes are the sorted pids, and cameras the sorted camids, domain after domain. Strings are
    sorted as strings, as in fast-reid: "Market1501_10" comes before "Market1501_2". With
    ``relabel``, class and camera numbers are int32; without it, they are int64.

    Unlike fast-reid's class, it does not read images: the worker processes of a loader do.

    Args:
        img_items: (img_path, pid, camid) of each image. pids and camids are strings in training,
            such as "<data set>_<int>", and integers in a test set.
        transform: called with an RGB image of PIL and a ``numpy.random.Generator``, gives
            (3, H, W) uint8 or float32; None: the loader's transforms are used.
        relabel: whether pids and camids are numbered from 0; False: the integers are kept.
        domains: names of the data sets, in the order of their domain numbers.
        domainids: (N,) domain number of each item; None: all 0.
        label_names: original identity and camera of each item; None: unknown.

    Raises:
        TypeError: ``transform`` cannot be called.
        ValueError: an identity is in two domains, a domain has no items, or an identity or camera
            that is not relabelled is not an integer of at most 64 bits.
    """

    def __init__(
        self,
        img_items: Sequence[tuple],
        transform: ImageTransform | None = None,
        relabel: bool = True,
        *,
        domains: Sequence[str] = (),
        domainids: Sequence[int] | None = None,
        label_names: LabelNames | None = None,
    ) -> None:
        if transform is not None and not callable(transform):
            raise TypeError(
                f"CommDataset: transform is {transform!r}, which cannot be called; relabel is the "
                "third argument."
            )
        self.img_items = list(img_items)
        self.transform = transform
        self.relabel = relabel
        self.domains = tuple(domains)
        self.label_names = label_names
        self.paths = [str(path) for path, _, _ in self.img_items]
        self.domainids = np.zeros(len(self.img_items), np.int32)
        if domainids is not None:
            self.domainids[:] = domainids
        domain_of = self._find_domains()
        if not relabel:
            self._check_numbers()
        dtype = np.int32 if relabel else np.int64
        self._check_domains()
        self.pids = sorted(domain_of, key=lambda pid: (domain_of[pid], pid))
        self.cams = self._sorted_cameras()
        self.classes_per_domain = [
            sum(domain == number for number in domain_of.values())
            for domain in range(max(len(self.domains), 1))
        ]
        self.pid_dict = {pid: number if relabel else pid for number, pid in enumerate(self.pids)}
        self.cam_dict = {cam: number if relabel else cam for number, cam in enumerate(self.cams)}
        self.targets = np.fromiter((self.pid_dict[item[1]] for item in self.img_items), dtype)
        self.camids = np.fromiter((self.cam_dict[item[2]] for item in self.img_items), dtype)

    @classmethod
    def of_sets(cls, sets: Mapping[str, Sequence[tuple]]) -> CommDataset:
        """Put the training items of several data sets together, each set a domain.

        Labels of identities and cameras that are in several sets are prefixed with the name of the
        set.

        Args:
            sets: name of each data set -> its items, in the order of their domain numbers.

        Returns:
            The items of all sets.

        Raises:
            ValueError: a set has no items.
        """
        items: list[tuple] = []
        domainids: list[int] = []
        for domain, own in enumerate(_with_unique_labels(sets)):
            items += own
            domainids += [domain] * len(own)
        return cls(items, domains=tuple(sets), domainids=domainids)

    def _find_domains(self) -> dict:
        domain_of: dict = {}
        for (path, pid, _), domain in zip(self.img_items, self.domainids.tolist()):
            if domain_of.setdefault(pid, domain) != domain:
                raise ValueError(
                    f"The identity {pid!r} of {path} is in two data sets; give it another name."
                )
        return domain_of

    def _check_numbers(self) -> None:
        for path, pid, camid in self.img_items:
            for name, number in (("identity", pid), ("camera", camid)):
                try:
                    is_number = not isinstance(number, str) and whole_number(number) == number
                except ValueError as error:
                    raise ValueError(f"{path}, {name}: {error}") from error
                if not is_number:
                    raise ValueError(
                        f"{path}: the {name} {number!r} of a test item must be an integer."
                    )

    def _check_domains(self) -> None:
        present = set(self.domainids.tolist())
        for number, name in enumerate(self.domains):
            if number not in present:
                raise ValueError(f"The data set {name} of DATASETS.NAMES has no training images.")

    def _sorted_cameras(self) -> list:
        cameras = {(domain, item[2]) for domain, item in zip(self.domainids, self.img_items)}
        return [camid for _, camid in sorted(cameras)]

    def __len__(self) -> int:
        return len(self.img_items)

    @property
    def num_classes(self) -> int:
        """Number of identities in all domains."""
        return len(self.pids)

    @property
    def num_cameras(self) -> int:
        """Number of cameras in all domains."""
        return len(self.cams)

    def indices_of(self, domain: int) -> list[int]:
        """Give the indices of the items of one domain, in ascending order.

        Args:
            domain: number of the domain, from 0.
        """
        return np.flatnonzero(self.domainids == domain).tolist()


def _with_unique_labels(sets: Mapping[str, Sequence[tuple]]) -> Iterable[Sequence[tuple]]:
    pids, camids = (
        _shared({name: {item[i] for item in sets[name]} for name in sets}) for i in (1, 2)
    )
    if pids:
        logger.info(
            "%d identities, such as %r, are in several of the data sets %s; they are treated as "
            "different persons",
            *(len(pids), min(pids), tuple(sets)),
        )
    for name, items in sets.items():
        if not pids and not camids:
            yield items
        else:
            yield [
                (
                    path,
                    f"{name}:{pid}" if pid in pids else pid,
                    f"{name}:{camid}" if camid in camids else camid,
                )
                for path, pid, camid in items
            ]


def _shared(labels: Mapping[str, set]) -> set:
    """Labels that are in more than one set."""
    counts = Counter(label for own in labels.values() for label in own)
    return {label for label, count in counts.items() if count > 1}
