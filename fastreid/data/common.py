"""Items of one or several data sets and the numbers that stand for their names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BATCH_COLUMNS = ("images", "targets", "camids", "domainids", "img_paths")


class CommDataset:
    """Items (path, pid, camid) with class, camera and domain numbers.

    Classes are the sorted pids, and cameras the sorted camids, domain after domain. Strings are
    sorted as strings, as fast-reid does: "Market1501_10" comes before "Market1501_2".

    Args:
        img_items: (img_path, pid, camid); pids and camids are strings "<data set>_<int>" in
            training and ints in a test set.
        relabel: number pids and camids from 0; False keeps the ints of a test set.
        domains: names of the data sets, in the order of their domain numbers; empty: all items
            are of domain 0.

    Raises:
        ValueError: a pid starts with none of the domains' names, or a domain has no items.
    """

    def __init__(
        self,
        img_items: Sequence[tuple],
        *,
        relabel: bool = True,
        domains: Sequence[str] = (),
    ) -> None:
        self.img_items = list(img_items)
        self.domains = tuple(domains)
        self.paths = [str(path) for path, _, _ in self.img_items]
        domain_of = self._find_domains({pid for _, pid, _ in self.img_items})
        self.domainids = _as_numbers(domain_of[pid] for _, pid, _ in self.img_items)
        self._check_domains()
        self.pids = sorted(domain_of, key=lambda pid: (domain_of[pid], pid))
        self.cams = self._sorted_cameras()
        self.classes_per_domain = [
            sum(domain == number for number in domain_of.values())
            for domain in range(max(len(self.domains), 1))
        ]
        self.pid_dict = {pid: number if relabel else pid for number, pid in enumerate(self.pids)}
        self.cam_dict = {cam: number if relabel else cam for number, cam in enumerate(self.cams)}
        self.targets = _as_numbers(self.pid_dict[pid] for _, pid, _ in self.img_items)
        self.camids = _as_numbers(self.cam_dict[camid] for _, _, camid in self.img_items)

    def _find_domains(self, pids: set) -> dict:
        if not self.domains:
            return dict.fromkeys(pids, 0)
        return {pid: self._domain_number(pid) for pid in pids}

    def _domain_number(self, pid: str) -> int:
        # The longest name wins, should one name be the beginning of another.
        fitting = [name for name in self.domains if pid.startswith(f"{name}_")]
        if not fitting:
            raise ValueError(
                f"The identity {pid!r} belongs to none of DATASETS.NAMES {self.domains}: training "
                'identities are named "<data set>_<number>".'
            )
        return self.domains.index(max(fitting, key=len))

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
        """Identities of all domains together."""
        return len(self.pids)

    @property
    def num_cameras(self) -> int:
        """Cameras of all domains together."""
        return len(self.cams)

    def indices_of(self, domain: int) -> list[int]:
        """Find the items of one domain.

        Args:
            domain: its number, from 0.

        Returns:
            Their indices, ascending.
        """
        return np.flatnonzero(self.domainids == domain).tolist()


def _as_numbers(values) -> np.ndarray:
    return np.fromiter(values, dtype=np.int32)
