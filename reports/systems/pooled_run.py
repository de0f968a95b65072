"""A run with its pooled systems, and selections of them for tables and figures."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from reports.systems.focus import close_groups, headline_groups, honest
from reports.systems.groups import GroupKey
from reports.systems.pairs import Pair, pairs
from reports.systems.pooling import PooledSystem, pool
from reports.systems.run_folder import Run


@dataclass(frozen=True, eq=False)
class PooledRun:
    """A run and its systems; each selection of them is made once, when it is first needed.

    Attributes
    ----------
    run : Run
        What the run folder holds.
    systems : list[PooledSystem]
        As from `pool`, in the order of the configuration.
    """

    run: Run
    systems: list[PooledSystem]

    @classmethod
    def of(cls, run: Run) -> Self:
        """Pool the systems of a run; raises RunFolderError as `pool` does."""
        return cls(run, pool(run))

    @cached_property
    def whole(self) -> list[PooledSystem]:
        """The systems that were trained on all training patients."""
        return [system for system in self.systems if system.whole]

    @cached_property
    def honest(self) -> list[PooledSystem]:
        """The systems that ran on all training patients under a protocol that is not an audit."""
        return honest(self.run, self.systems)

    @cached_property
    def close(self) -> dict[GroupKey, list[PooledSystem]]:
        """The systems that are shown in detail, by group."""
        return close_groups(self.run, self.systems)

    @cached_property
    def headline(self) -> dict[GroupKey, list[PooledSystem]]:
        """The systems that may be headlines, by group."""
        return headline_groups(self.run, self.systems)

    @cached_property
    def pairs(self) -> list[Pair]:
        """The systems that ran under an audit and its twin."""
        return pairs(self.run, self.systems)
