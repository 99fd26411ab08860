"""What decides the weights that a run ends with, apart from the recipe itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """So many epochs of a recipe from a seed. `batches` is the number of batches of an epoch; `None` takes all."""

    recipe: str
    seed: int
    epochs: int
    batches: int | None = None

    def __str__(self) -> str:
        fast = "" if self.batches is None else f" of {self.batches} batches"
        return f"{self.epochs} epoch{'' if self.epochs == 1 else 's'}{fast} from seed {self.seed}"
