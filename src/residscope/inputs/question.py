"""What a user wrote as an experiment's inputs, and how a change of them is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from residscope.errors import InputError, brief
from residscope.inputs import interventions as words
from residscope.inputs.answers import Answers
from residscope.inputs.encoding import Settings
from residscope.inputs.interventions import Intervention
from residscope.inputs.prompts import Prompts, plain
from residscope.inputs.reader import Inputs, Reader
from residscope.inputs.target import Alone, Target
from residscope.inputs.vocabulary import Names
from residscope.models import TransformerBridge
from residscope.models.rope import why_not_together

_SET_ASIDE = ("corrupted", "answers", "target", "target_position", "prefill")


@dataclass(frozen=True)
class Question:
    """What the user wrote, as written; the next change applies to this."""

    prompts: Prompts
    answers: Answers | None
    corrupted: Prompts | None
    target: Target | Literal["logit"] | None
    target_position: int | None
    prepend_bos: bool | None
    chat_template: bool | Mapping[str, Any] | None
    prefill: str | Sequence[str] | None
    mask: Any = None
    vocabulary: Names | None = None
    interventions: Sequence[Intervention] = ()

    @property
    def hand_made(self) -> Target | None:
        """Return the target made by hand, if there is one."""
        return self.target if isinstance(self.target, Target) else None

    @property
    def settings(self) -> Settings:
        """Return the settings for how prompts become tokens."""
        return Settings(self.prepend_bos, self.chat_template, self.prefill, self.vocabulary)

    def copy(self) -> "Question":
        """Return a copy that shares no list with this one."""
        return replace(
            self,
            prompts=plain(self.prompts),
            answers=plain(self.answers),
            corrupted=plain(self.corrupted),
            target_position=plain(self.target_position),
            chat_template=plain(self.chat_template),
            prefill=plain(self.prefill),
            mask=plain(self.mask),
            vocabulary=plain(self.vocabulary),
        )

    def changed(self, changes: Mapping[str, Any]) -> "Question":
        """Return these inputs with the changes.

        Raises:
            TypeError: for a name that is not an input.
        """
        unknown = changes.keys() - Question.__annotations__.keys()
        if unknown:
            raise TypeError(
                f"there is no input {', '.join(unknown)}: the inputs are {', '.join(Question.__annotations__)}"
            )
        # A target made by hand replaces answers.
        if "answers" in changes and "target" not in changes and self.hand_made:
            changes = {**changes, "target": None}
        elif isinstance(changes.get("target"), Target) and "answers" not in changes:
            changes = {**changes, "answers": None}
        if "interventions" in changes:
            given = changes["interventions"]
            listed = () if given is None else (given,) if isinstance(given, Intervention) else tuple(given)
            changes = {**changes, "interventions": listed}
        # A mask belongs to the ids that it was given with.
        if "prompts" in changes and "mask" not in changes:
            changes = {**changes, "mask": None}
        return replace(self, **changes).copy()

    def parse(self, model: TransformerBridge) -> Inputs:
        """Check and tokenise all of it.

        Raises:
            InputError: for the first input that cannot be used.
        """
        reader = Reader(model, self.settings)
        if self.hand_made and self.answers is not None:
            raise InputError("target", "target and answers cannot be combined: give one of the two")
        if self.hand_made and self.target_position is not None:
            raise InputError(
                "target_position", "a Target says where it is read: leave target_position out, or set its positions"
            )
        named = isinstance(self.target, str) and self.target == "logit"
        if not (named or self.hand_made or self.target is None):
            raise InputError("target", f'a target is a Target, or "logit", not {brief(self.target)}')
        alone: Alone = "logit" if named else "log-probability"
        inputs = reader.parse(self.prompts, self.answers, self.corrupted, self.target_position, alone, self.mask)
        if self.hand_made:
            reader.check_target(self.hand_made, inputs)
        sentence = why_not_together(model, [len(row) for row in inputs.tokens])
        if sentence:
            raise InputError("prompts", sentence)
        return self._with_interventions(inputs, model, reader)

    def _with_interventions(self, inputs: Inputs, model: TransformerBridge, reader: Reader) -> Inputs:
        if not self.interventions:
            return inputs
        if inputs.cached is not None:
            raise InputError("interventions", words.NOT_OF_A_CACHE)
        lengths = list(map(len, inputs.tokens))
        asked = words.checked(
            self.interventions, model, lengths, reader.tokens_of, has_corrupted=inputs.corrupted is not None
        )
        notes = words.notes_on(asked, lengths)
        return replace(inputs, interventions=asked, warnings=(*inputs.warnings, *notes))

    def fitted(self, model: TransformerBridge, changes: Mapping[str, Any]) -> tuple[Inputs, "Question"]:
        """Read these inputs after a change; older ones that no longer fit are dropped, with a warning.

        Raises:
            InputError: for the first input that cannot be used.
        """
        question, notes = self, list[str]()
        while True:
            try:
                inputs = question.parse(model)
            except InputError as error:
                field = error.field
                if field == "interventions" and field not in changes:
                    kept, gone = question._fitting(model)
                    notes += [f"Dropped {one!r}, which no longer fits: {sentence}." for one, sentence in gone]
                    question = replace(question, interventions=kept)
                    continue
                if field not in _SET_ASIDE or field in changes or getattr(question, field) is None:
                    raise
                notes.append(f"Dropped {field}, which no longer fits: {error}.")
                nothing: dict[str, Any] = {field: None}
                question = replace(question, **nothing)
            else:
                return replace(inputs, warnings=(*inputs.warnings, *notes)), question

    def _fitting(self, model: TransformerBridge) -> tuple[tuple[Intervention, ...], list[tuple[Intervention, str]]]:
        """Return the interventions that these inputs can have, and those that they cannot, each with the reason."""
        kept, gone = [], []
        for one in self.interventions:
            try:
                replace(self, interventions=(one,)).parse(model)
            except InputError as error:
                if error.field != "interventions":
                    raise
                gone.append((one, str(error)))
            else:
                kept.append(one)
        return tuple(kept), gone
