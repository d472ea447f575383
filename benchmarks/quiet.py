"""Rounds in which the machine was ours.

On a virtual machine others may take the cores away: `stolen` is how much of one core they had while something here was
to run. With a third of a core gone everything takes several times as long, and not everything as much longer: such a
round says nothing of a ratio. One of which they had more than `--stolen` is shown, not counted, and done again, five
times as many at most.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MOST_TRIES = 5
Row = TypeVar("Row", bound="DataclassInstance")


@dataclass(frozen=True)
class Quiet(Generic[Row]):
    """What was measured in a round, and how much of a core others had meanwhile."""

    row: Row
    stolen: float

    def figures(self) -> dict[str, Any]:
        """Both, for JSON."""
        return {**asdict(self.row), "stolen": self.stolen}


def add_options(parser: argparse.ArgumentParser) -> None:
    """How many rounds, and which count."""
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stolen", type=float, default=0.05, help="how much of a core others may have in a round")


def quiet_rounds(
    chosen: argparse.Namespace, measure: Callable[[int], Row], show: Callable[[int, Quiet[Row]], None]
) -> list[Quiet[Row]]:
    """Measure round by round, numbered from 1, until as many counted as were chosen. Each is shown. Raises SystemExit
    where none did."""
    counted: list[Quiet[Row]] = []
    for number in range(1, chosen.rounds * MOST_TRIES + 1):
        one = _measured(measure, number)
        show(number, one)
        counted += [one] if one.stolen <= chosen.stolen else []
        if len(counted) == chosen.rounds:
            break
    print(f"{len(counted)} of {number} rounds had the cores to themselves")
    if not counted:
        raise SystemExit("nothing was measured: try again where the machine is quieter, or allow for more (--stolen)")
    return counted


def _measured(measure: Callable[[int], Row], number: int) -> Quiet[Row]:
    before_s, begun = _stolen_s(), time.perf_counter()
    row = measure(number)
    return Quiet(row, (_stolen_s() - before_s) / (time.perf_counter() - begun))


def _stolen_s() -> float:
    """How long others had the cores of this virtual machine while something here was to run (proc(5))."""
    stolen = int(Path("/proc/stat").read_text().split(maxsplit=9)[8])
    return stolen / os.sysconf("SC_CLK_TCK")
