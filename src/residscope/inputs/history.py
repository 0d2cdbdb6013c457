"""The inputs of an experiment's earlier runs, so that the user can go back to them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

from residscope.inputs.question import Question

KEPT = 200
"""How many runs are remembered; the oldest are dropped."""


@dataclass
class Past:
    """A remembered run.

    Attributes:
        number: the newest run of these inputs.
        prompts: the prompts' texts.
        target: the names of what was explained, one per row; empty until a run of these inputs has finished.
        value: their values, in the target's unit, empty until then; while these inputs run again, the previous values.
        question: the inputs, as the user wrote them.
    """

    number: int
    prompts: tuple[str, ...]
    question: Question
    target: tuple[str, ...] = ()
    value: tuple[float, ...] = ()

    def __repr__(self) -> str:
        prompt = self.prompts[0] if len(self.prompts) == 1 else f"{len(self.prompts)} prompts"
        told = ", ".join(f"{name} = {value:.4g}" for name, value in zip(self.target, self.value, strict=True))
        changed = "".join(f", {one!r}" for one in self.question.interventions)
        return f"run {self.number}: {prompt!r}{changed}{': ' if told else ''}{told}"


class History(Sequence[Past]):
    """Runs with different inputs, oldest first, and which of them is current.

    It works like a browser's history: going back and then running something new forgets what came after.
    """

    def __init__(self) -> None:
        self._runs: list[Past] = []
        self.at = -1

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, index: int) -> Past: ...
    @overload
    def __getitem__(self, index: slice) -> list[Past]: ...
    def __getitem__(self, index: int | slice) -> Past | list[Past]:
        return self._runs[index]

    def __iter__(self) -> Iterator[Past]:
        return iter(self._runs)

    def __repr__(self) -> str:
        return "\n".join(f"{'>' if at == self.at else ' '} {run!r}" for at, run in enumerate(self._runs))

    def add(self, run: Past) -> None:
        """Remember a run; it replaces the current one if the inputs are the same."""
        if self._runs and self._runs[self.at].question == run.question:
            self.move(self.at, run)
            return
        self._runs[self.at + 1 :] = [run]
        del self._runs[:-KEPT]
        self.at = len(self._runs) - 1

    def move(self, to: int, run: Past) -> None:
        """Make the inputs at an index current and run them again; their old results stay until the run is done."""
        known = self._runs[to]
        self._runs[to] = replace(run, target=known.target, value=known.value)
        self.at = to

    def finish(self, number: int, target: Sequence[str], value: Sequence[float]) -> None:
        """Note the results of a run."""
        for run in self._runs:
            if run.number == number:
                run.target, run.value = tuple(target), tuple(value)
