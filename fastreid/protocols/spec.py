"""Protocols: which data sets are trained on, which are tested, and how."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .names import short_name, short_names

# The subsets of a data set whose sizes a protocol may state.
SUBSETS = ("train", "query", "gallery")
LAST, TARGET_SELECTED = "last", "target"
SELECTIONS = (LAST, TARGET_SELECTED)


class Size(NamedTuple):
    """Size of a subset: identities and images."""

    ids: int
    images: int


class Score(NamedTuple):
    """A published score in percent."""

    mean_ap: float
    rank_1: float


@dataclass(frozen=True)
class Route:
    """Sources and the target that a model trained on them is tested on.

    Attributes:
        sources: registered names of the training sets, in the order of DATASETS.NAMES.
        target: registered name of the test set.
        splits: numbers of the test splits (DATASETS.SPLIT).

    Examples:
        >>> from fastreid.protocols import Route
        >>> Route(sources=("cuhkSYSU", "Market1501", "MSMT17"), target="CUHK03").label
        'CS+M+MS->C3'
    """

    sources: tuple[str, ...]
    target: str
    splits: tuple[int, ...] = (0,)

    @property
    def label(self) -> str:
        """The route as tables write it: "CS+M+MS->C3"."""
        return f"{short_names(self.sources)}->{short_name(self.target)}"


@dataclass(frozen=True)
class Run:
    """One training: it serves every target of its sources.

    Attributes:
        routes: routes with the same sources.
        seed: SEED of the training.
    """

    routes: tuple[Route, ...]
    seed: int

    @property
    def sources(self) -> tuple[str, ...]:
        """The training sets."""
        return self.routes[0].sources

    @property
    def targets(self) -> tuple[str, ...]:
        """The test sets."""
        return tuple(route.target for route in self.routes)

    @property
    def key(self) -> str:
        """Name of the run and of its folder."""
        return f"{short_names(self.sources)}_seed{self.seed}"


@dataclass(frozen=True)
class Cell:
    """A field of the table: a route with a seed."""

    route: Route
    seed: int


@dataclass(frozen=True)
class DataRule:
    """What a protocol demands of a data set.

    Attributes:
        version: name of the version; "": any.
        sizes: subset -> its size; subsets that are missing are not compared.
    """

    version: str = ""
    sizes: Mapping[str, Size] = field(default_factory=dict)


@dataclass(frozen=True)
class Paper:
    """How a paper ran a protocol.

    Attributes:
        name: its method.
        as_here: whether its settings are those of the protocol here.
        how: what is known of its settings.
    """

    name: str
    as_here: bool
    how: str


@dataclass(frozen=True)
class Published:
    """A row of published scores.

    Attributes:
        method: its name.
        venue: where it was published.
        source: letters of the sources of the numbers.
        scores: target -> score.
    """

    method: str
    venue: str
    source: str
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class Protocol:
    """Sources, targets, splits, settings and data of an evaluation protocol.

    Attributes:
        name: its name, that of its file.
        short: its other name on the command line.
        title: one line.
        routes: the fields of its table.
        average: targets of the column of means.
        settings: dotted key -> value of the settings that it fixes.
        selection: checkpoint that is reported: "last" or "target".
        data: registered name -> what it demands of the data set.
        papers: who ran it how.
        published: published scores.
        sources: letter -> origin of published scores.
    """

    name: str
    short: str
    title: str
    routes: tuple[Route, ...]
    average: tuple[str, ...]
    settings: Mapping[str, Any]
    selection: str
    data: Mapping[str, DataRule]
    papers: tuple[Paper, ...]
    published: tuple[Published, ...]
    sources: Mapping[str, str]

    @property
    def targets(self) -> tuple[str, ...]:
        """All targets, in the order of the routes, each once."""
        return tuple(dict.fromkeys(route.target for route in self.routes))

    def select(
        self, targets: Sequence[str] = (), *, num_splits: int | None = None
    ) -> tuple[Route, ...]:
        """Select routes by target.

        Args:
            targets: registered names; none: all targets.
            num_splits: number of test splits to use of each target, the first ones of the protocol;
                None: all of them. Targets with fewer splits keep theirs.

        Returns:
            The routes, in the order of the protocol.

        Raises:
            ValueError: a target is not one of the protocol, or the number of splits is not positive
                or exceeds that of the protocol.
        """
        for target in targets:
            if target not in self.targets:
                near = difflib.get_close_matches(target, self.targets, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise ValueError(
                    f"{target!r} is not a target of {self.name}.{hint} It has "
                    f"{', '.join(self.targets)}."
                )
        chosen = [route for route in self.routes if not targets or route.target in targets]
        if num_splits is None:
            return tuple(chosen)
        most = max(len(route.splits) for route in chosen)
        if not 1 <= num_splits <= most:
            raise ValueError(
                f"--splits is {num_splits}; {self.name} has {most} test split(s) for these "
                "targets, so it must be 1 or more and not above that."
            )
        return tuple(
            Route(route.sources, route.target, route.splits[:num_splits]) for route in chosen
        )


def plan_runs(routes: Sequence[Route], seeds: Sequence[int]) -> list[Run]:
    """Combine routes and seeds into trainings; routes with the same sources share one.

    Args:
        routes: routes of a protocol.
        seeds: values of SEED.

    Returns:
        The runs, all of the first seed first.

    Examples:
        >>> from fastreid.protocols import Route, plan_runs
        >>> sources = ("Market1501", "MSMT17")
        >>> runs = plan_runs([Route(sources, "PRID"), Route(sources, "GRID")], seeds=[1, 2])
        >>> [(run.key, run.targets) for run in runs]
        [('M+MS_seed1', ('PRID', 'GRID')), ('M+MS_seed2', ('PRID', 'GRID'))]
    """
    groups: dict[tuple[str, ...], list[Route]] = {}
    for route in routes:
        groups.setdefault(route.sources, []).append(route)
    return [Run(tuple(group), seed) for seed in seeds for group in groups.values()]


def cells_of(runs: Sequence[Run]) -> list[Cell]:
    """List the fields of the table that runs fill.

    Args:
        runs: result of `plan_runs`.
    """
    return [Cell(route, run.seed) for run in runs for route in run.routes]
