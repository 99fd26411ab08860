"""What the mutants of one file come to: how many of them the tests notice, and which they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.mutation.mutants import Change, Mutant

FLOOR = 95


@dataclass(frozen=True)
class Score:
    """Of one file, the mutants that can be noticed, and what is wrong with the list of those that cannot."""

    name: str
    killed: int
    survivors: Sequence[Mutant]
    hung: Sequence[Mutant]
    equivalent: int
    stale: Sequence[str]

    @property
    def mutants(self) -> int:
        """Those that can be noticed."""
        return self.noticed + len(self.survivors)

    @property
    def noticed(self) -> int:
        """Those that a test fails on, or never ends with."""
        return self.killed + len(self.hung)

    @property
    def ok(self) -> bool:
        """Whether enough of them are noticed, in integers; a file without mutants is none that was judged."""
        return self.mutants > 0 and self.noticed * 100 >= FLOOR * self.mutants and not self.stale

    def line(self) -> str:
        """The file's row in the table."""
        share = f"{self.noticed / self.mutants:.1%}" if self.mutants else "none"
        counts = (self.mutants, self.killed, len(self.survivors), len(self.hung), self.equivalent)
        return f"{self.name:<12}" + "".join(f"{count:>11}" for count in counts) + f"{share:>9}"

    def details(self) -> str:
        """The survivors and those that hung as short differences, and what is stale."""
        lines = [f"{self.name}: {mutant.status}: {mutant.change}" for mutant in (*self.survivors, *self.hung)]
        return "\n".join([*lines, *(f"{self.name}: {problem}" for problem in self.stale)])


HEADER = f"{'file':<12}" + "".join(f"{name:>11}" for name in ("mutants", "killed", "survived", "timeout", "equivalent"))
HEADER += f"{'score':>9}"


def score(name: str, mutants: Sequence[Mutant], equivalents: Sequence[Change]) -> Score:
    """Judge the mutants of a file; those that are listed as equivalent are to exist and to survive.

    A timeout is noticed: the tests do not end. What was neither killed nor timed out counts as a survivor, whatever it
    was.
    """
    # One line may stand twice in a function, and be noticed once.
    known = {mutant.change: {other.status for other in mutants if other.change == mutant.change} for mutant in mutants}
    stale = [f"listed as equivalent, and no mutant: {change}" for change in equivalents if change not in known]
    noticed = {change for change in known if known[change] <= {"killed", "timeout"}}
    stale += [f"listed as equivalent, and noticed: {change}" for change in equivalents if change in noticed]
    rest = [mutant for mutant in mutants if mutant.change not in equivalents or mutant.change in noticed]
    killed = sum(mutant.status == "killed" for mutant in rest)
    hung = [mutant for mutant in rest if mutant.status == "timeout"]
    survivors = [mutant for mutant in rest if mutant.status not in ("killed", "timeout")]
    return Score(name, killed, survivors, hung, len(mutants) - len(rest), stale)
