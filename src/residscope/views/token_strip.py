"""The prompt as the model reads it, and the answers, editable in place."""

from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from residscope.experiment import Experiment
from residscope.inputs import Reader
from residscope.models.demo import presets
from residscope.sources import NoSplitError
from residscope.trace import Trace
from residscope.views.base import View
from residscope.vocabulary import InputError
from residscope.wire import text
from residscope.worker import Ticket

if TYPE_CHECKING:
    import pandas as pd

EFFECT = "direct effect"


class TokenStrip(View):
    """The tokens of each prompt, with ids, white space and special tokens visible, and the target's value.

    A click on a token selects its position. Prompts and answers are edited in place; Enter runs them.
    """

    bundle_name = "token_strip"

    colour = traitlets.Enum(("none", EFFECT), "none").tag(sync=True)
    """What tints the tokens: "none", or "direct effect": what the selected head, or all heads, take from each token
    to where the target is read, in the target's unit."""
    _edit: Any = traitlets.Dict(None, allow_none=True).tag(sync=True)
    _refused: Any = traitlets.Dict(None, allow_none=True).tag(sync=True)

    from_browser = View.from_browser | {"_edit", "colour"}

    def __init__(self, experiment: Experiment, **traits: Any) -> None:
        super().__init__(experiment, **traits)
        self.observe(lambda _change: self.follow_again(), "colour")

    def payload(self, trace: Trace, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the inputs as they can be edited, presets, and, where asked, `sources` [row layer head key]."""
        del ticket
        arrays, refused = {}, None
        if self.colour == EFFECT:
            try:
                arrays["sources"] = trace.token_attribution().cpu().numpy().astype(np.float32)
            except NoSplitError as error:
                refused = text(str(error))
        inputs = trace.inputs
        answers = None if inputs.answers is None else [list(pair.written) for pair in inputs.answers]
        return arrays, {
            "colour": self.colour,
            "unit": trace.target.unit,
            "refused": refused,
            "inputs": {
                "prompts": list(inputs.prompts),
                "answers": answers,
                "own": trace.target_is_models_own,
                "corrupted": inputs.corrupted and list(inputs.corrupted),
            },
            "presets": [
                {"name": preset.name, "prompt": preset.prompt, "answers": list(preset.answers)} for preset in presets()
            ]
            if trace.facts.name == "demo"
            else [],
        }

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per token, with the direct effect through all heads where that is the colour."""
        import pandas as pd

        trace = self.experiment.trace
        effects = np.nansum(trace.token_attribution().cpu().numpy(), (1, 2)) if self.colour == EFFECT else None
        return pd.DataFrame(
            [
                {
                    "row": row,
                    "position": position,
                    "token": trace.decode(token),
                    "token_id": token,
                    "special": token in trace.special_ids,
                    "read": position == trace.target.positions[row],
                }
                | ({} if effects is None else {"direct_effect": effects[row, position]})
                for row, ids in enumerate(trace.inputs.tokens)
                for position, token in enumerate(ids)
            ]
        )

    def summary(self, trace: Trace) -> str:
        """Name the prompt's length and the target's value."""
        tokens = " and ".join(str(length) for length in trace.lengths)
        return (
            f"{'a prompt' if len(trace.lengths) == 1 else 'prompts'} of {tokens} tokens; "
            f"{trace.target.names[0]} = {float(trace.target_value[0]):.3g} {trace.target.unit}"
        )

    @traitlets.observe("_edit")
    def _take_edit(self, change: Any) -> None:
        edit = change["new"]
        if edit is None:
            return
        edit_id = edit.get("id")
        field = "answers" if "answers" in edit and "prompts" not in edit else "prompts"
        try:
            self.experiment.update(**_changes(edit, self.experiment))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with an edit is said beside it
            message = text(str(error))
            self._refused = {"id": edit_id, "field": getattr(error, "field", field), "message": message}
        else:
            self._refused = None


def _changes(edit: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """Check an edit from the browser and return it as changes of inputs."""
    changes: dict[str, Any] = {}
    prompts = edit.get("prompts")
    if prompts is not None:
        if not (isinstance(prompts, list) and all(isinstance(prompt, str) for prompt in prompts)):
            raise InputError("prompts", "edited prompts are a list of texts")
        asked = experiment.asked
        reader = Reader(experiment.model, asked.prepend_bos, asked.chat_template, asked.prefill)
        changes["prompts"] = reader.edited(asked.prompts, prompts)
    if "answers" in edit:
        answers = edit["answers"]
        if answers is not None and not (isinstance(answers, list) and all(map(_is_pair, answers))):
            raise InputError("answers", "edited answers are one pair of texts a prompt")
        changes["answers"] = answers and [tuple(pair) for pair in answers]
    if not changes:
        raise InputError("prompts", "an edit changes prompts or answers")
    return changes


def _is_pair(entry: Any) -> bool:
    return (
        isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], str | None)
    )
