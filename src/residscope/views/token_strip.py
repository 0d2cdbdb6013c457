"""The prompt as the model reads it, and the answers, editable in place."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from residscope.errors import InputError
from residscope.experiment import Experiment
from residscope.export.figure import Chips, Figure
from residscope.fixed import Fixed
from residscope.given import Given, Run, given
from residscope.header import ids_of, target_position, tokens_of, unit_of
from residscope.inputs.reader import Reader
from residscope.live import wire
from residscope.live.shared import Selection
from residscope.live.widget import made_whole
from residscope.live.wire import text
from residscope.live.worker import Ticket
from residscope.models.demo import presets
from residscope.quantity import Quantity
from residscope.runs.sources import NoSplitError
from residscope.views.base import View
from residscope.views.captions import caption, facts, target_words
from residscope.views.from_arrays import shaped, texts_of_rows, token_rows

if TYPE_CHECKING:
    import pandas as pd

EFFECT = "direct effect"


class TokenStrip(View):
    """The tokens of each prompt, with ids, white space and special tokens visible, and the target's value.

    A click on a token selects its position. Prompts and answers are edited in place; Enter runs them.
    """

    _bundle_name = "token_strip"

    colour = traitlets.Enum(("none", EFFECT), "none").tag(sync=True)
    """What tints the tokens: "none", or "direct effect": what the selected head, or all heads, move from each token to
    where the target is read, in the target's unit."""
    _edit: Any = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    _refused: Any = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)

    _from_browser = View._from_browser | {"_edit", "colour"}

    def __init__(self, experiment: Experiment | Fixed, **traits: Any) -> None:
        super().__init__(experiment, **traits)
        self._watch(self, ["colour"], self._follow_again)

    @classmethod
    @made_whole()
    def from_arrays(
        cls,
        tokens: Any,
        values: Any = None,
        *,
        name: str = "value",
        unit: str = "",
        selection: Selection | None = None,
    ) -> "TokenStrip":
        """Show any tokens, each tinted by a signed number, without a model or anything to edit.

        Args:
            tokens: texts, or a list of texts for each row.
            values: one number per token, `[pos]` or `[row pos]`, NaN where there is none; None leaves them plain.
            name: what the numbers are.
            unit: their unit.
            selection: a selection to share, so that a click here also selects in other views.

        Raises:
            ValueError: when the numbers and tokens differ in number.
        """
        if values is None:
            return cls(Fixed(given((), texts_of_rows(tokens))), selection=selection)
        tint = Quantity(name, shaped(values, "values", "pos", "row pos"), "row pos", unit)
        return cls.from_quantities([tint], token_rows(tokens, *tint.values.shape), selection=selection)

    def _payload(self, trace: Run, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the editable inputs, the presets and, if requested, `sources` [row layer head key]."""
        del ticket
        sources, refused = self._sources(trace)
        arrays = {} if sources is None else {"sources": sources}
        shared = {"colour": self.colour, "unit": unit_of(trace), "refused": text(refused) if refused else None}
        if isinstance(trace, Given):
            return arrays, shared | {"called": trace.name, "inputs": None, "presets": []}
        inputs = trace.inputs
        answers = None if inputs.answers is None else [list(pair.written) for pair in inputs.answers]
        editable = {
            "prompts": list(inputs.prompts),
            "answers": answers,
            "prefills": inputs.prefills and list(inputs.prefills),
            "own": trace.target_is_models_own,
            "corrupted": inputs.corrupted and list(inputs.corrupted),
        }
        shipped = presets() if trace.facts.name == "demo" else ()
        examples = [{"name": one.name, "prompt": one.prompt, "answers": list(one.answers)} for one in shipped]
        return arrays, shared | {"called": EFFECT, "inputs": editable, "presets": examples}

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per token, with the direct effect through all heads if that is the colour."""
        import pandas as pd

        trace = self.trace
        sources, _ = self._sources(trace)
        effects = None if sources is None else _of_all(trace, sources)
        column, special = ("value", frozenset()) if isinstance(trace, Given) else ("direct_effect", trace.special_ids)
        return pd.DataFrame(
            [
                {
                    "row": row,
                    "position": position,
                    "token": trace.decode(token),
                    "token_id": token,
                    "special": token in special,
                    "is_target_position": position == target_position(trace, row),
                }
                | ({} if effects is None else {column: effects[row, position]})
                for row in range(len(trace.lengths))
                for position, token in enumerate(ids_of(trace, row))
            ]
        )

    def _summary(self, trace: Run) -> str:
        """Say how long the prompt is and how large the target is."""
        tokens = " and ".join(str(length) for length in trace.lengths)
        words = f"{'a prompt' if len(trace.lengths) == 1 else 'prompts'} of {tokens} tokens"
        if isinstance(trace, Given):
            return words
        return "; ".join([words, *(target_words(trace, row) for row in range(len(trace.lengths)))])

    def _figure(self, trace: Run) -> Figure:
        """Return the tokens of each prompt, tinted as on screen."""
        sources, refused = self._sources(trace)
        tints = [None] * len(trace.lengths) if sources is None else list(self._tints(trace, sources))
        high = max((float(np.nanmax(np.abs(tint), initial=0)) for tint in tints if tint is not None), default=1.0)
        chosen = self.selection.row or 0
        rows = [
            Chips(
                tokens_of(trace, row),
                None if isinstance(trace, Given) else trace.target.positions[row],
                self.selection.position if row == chosen else None,
                None if tint is None else tint[:length],
                high,
                trace.name if isinstance(trace, Given) else EFFECT,
                unit_of(trace),
                frozenset() if isinstance(trace, Given) else _spanned(trace.inputs.template[row]),
            )
            for row, (length, tint) in enumerate(zip(trace.lengths, tints, strict=True))
        ]
        said = caption(". ".join(filter(None, [self._summary(trace), text(refused)])))
        if isinstance(trace, Given):
            return Figure("Prompt", "", facts(trace), said, rows)
        model = f"{text(trace.facts.name)} · {trace.facts.dtype}"
        return Figure("Prompt", "", facts(trace, model), said, rows, [text(warning) for warning in trace.warnings])

    def _sources(self, trace: Run) -> tuple[wire.Array | None, str]:
        """Return what tints the tokens [row layer head key], or nothing and the reason."""
        if isinstance(trace, Given):
            return (trace.numbers("value", "pos")[:, None, None] if trace.quantities else None), ""
        if self.colour != EFFECT:
            return None, ""
        try:
            return trace.token_attribution().cpu().numpy().astype(np.float32), ""
        except NoSplitError as error:
            return None, str(error)

    def _tints(self, trace: Run, sources: wire.Array) -> wire.Array:
        """Return one number per token [row key]: through the selected head, or through all."""
        head = None if isinstance(trace, Given) else self.selection.head
        if head and head[0] < sources.shape[1] and head[1] < sources.shape[2]:
            return sources[:, head[0], head[1]]
        return _of_all(trace, sources)

    @traitlets.observe("_edit")
    def _take_edit(self, change: Any) -> None:
        edit = change["new"]
        if edit is None:
            return
        edit_id = edit.get("id")
        field = next((name for name in ("prompts", "answers", "prefill") if name in edit), "prompts")
        try:
            self.experiment.update(**_changes(edit, self.experiment))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with an edit is said beside it
            message = text(str(error))
            self._refused = {"id": edit_id, "field": getattr(error, "field", field), "message": message}
        else:
            self._refused = None


def _of_all(trace: Run, sources: wire.Array) -> wire.Array:
    """Return one number per token [row key]: the sum over heads, or the given number, NaN where there is none."""
    return sources[:, 0, 0] if isinstance(trace, Given) else np.asarray(np.nansum(sources, (1, 2)))


def _spanned(spans: Iterable[tuple[int, int]]) -> frozenset[int]:
    return frozenset(at for start, end in spans for at in range(start, end))


def _changes(edit: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """Check an edit from the browser and return it as changes of inputs."""
    changes: dict[str, Any] = {}
    prompts = edit.get("prompts")
    if prompts is not None:
        if not (isinstance(prompts, list) and all(isinstance(prompt, str) for prompt in prompts)):
            raise InputError("prompts", "edited prompts are a list of texts")
        question = experiment.question
        reader = Reader(experiment.model, question.settings)
        changes["prompts"] = reader.edited(question.prompts, prompts, question.mask)
    if "answers" in edit:
        answers = edit["answers"]
        if answers is not None and not (isinstance(answers, list) and all(map(_is_pair, answers))):
            raise InputError("answers", "edited answers are one pair of texts per prompt")
        changes["answers"] = answers and [tuple(pair) for pair in answers]
    if "prefill" in edit:
        prefill = edit["prefill"]
        if prefill is not None and not (
            isinstance(prefill, list) and prefill and all(isinstance(one, str) for one in prefill)
        ):
            raise InputError("prefill", "edited prefills are one text per prompt")
        # A prefill written once for all prompts also fits other prompts.
        changes["prefill"] = prefill[0] if prefill and len(set(prefill)) == 1 else prefill
    if not changes:
        raise InputError("prompts", "an edit changes prompts, answers or prefills")
    return changes


def _is_pair(entry: Any) -> bool:
    return (
        isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], str | None)
    )
