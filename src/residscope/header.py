"""What all views of a run share: its tokens, targets, depths, model and warnings, as plain data."""

from collections.abc import Iterable
from typing import Any

from residscope.analysis.lens import rank_of
from residscope.arrays import ArrayRun, Run
from residscope.errors import brief
from residscope.export.words import visible
from residscope.given import Given
from residscope.inputs.interventions import Ablation, Asked, Intervention, Scaling
from residscope.inputs.reader import Inputs
from residscope.inputs.target import Answer
from residscope.live.shared import Extent
from residscope.live.wire import text, token_text
from residscope.models import TransformerBridge
from residscope.runs.decomposition import possible_labels
from residscope.runs.trace import Trace


def header_of(trace: Run | Given) -> dict[str, Any]:
    """Return the run's header, the value of `Status._header`; arrays have no model to describe."""
    if isinstance(trace, Given):
        return _given(trace)
    ids = {token for row in trace.inputs.tokens for token in row}
    answers = [*trace.target.right, *(trace.target.wrong or ())]
    return {
        "number": trace.number,
        "rows": [_row(trace, row) for row in range(len(trace.lengths))],
        "texts": texts_of(trace, ids | {token for answer in answers for token in answer.ids}),
        "specials": sorted(trace.special_ids & ids),
        "bos": trace.inputs.bos,
        "depths": trace.depths,
        "n_layers": trace.n_layers,
        "n_heads": trace.n_heads,
        "model": None if isinstance(trace, ArrayRun) else _model(trace),
        "interventions": [] if isinstance(trace, ArrayRun) else list(map(_intervention, trace.inputs.interventions)),
        "answered": [] if isinstance(trace, ArrayRun) else trace.what_answered(),
        "warnings": [text(warning) for warning in trace.warnings],
    }


def extent_of(trace: Run | Given) -> Extent:
    """Return how far a selection may reach in the run."""
    parts = possible_labels(trace.n_layers) if isinstance(trace, Trace) else trace.labels
    return Extent(trace.lengths, len(trace.depths), trace.n_layers, trace.n_heads, tuple(parts))


def expected_extent(model: TransformerBridge, inputs: Inputs) -> Extent:
    """Return how far a selection will reach in the run of these inputs."""
    n_layers = int(model.cfg.n_layers)
    lengths = tuple(len(row) for row in inputs.tokens)
    return Extent(lengths, 2 * n_layers + 1, n_layers, int(model.cfg.n_heads), possible_labels(n_layers))


def texts_of(trace: Run, ids: Iterable[int]) -> dict[str, str]:
    """Return token texts by id, safe to show."""
    return {str(token): text_of(trace, token) for token in sorted(ids)}


def text_of(trace: Run, token: int) -> str:
    """Return a token's text, safe to show."""
    return token_text(trace.decode(token), trace.vocabulary_entry(token))


def name_of(trace: Run, token: int) -> str:
    """Return a token's text for a still picture, with the spaces at its edges marked, and BOS called "BOS"."""
    return "BOS" if token == trace.inputs.bos else visible(text_of(trace, token))


def tokens_of(trace: Run, row: int) -> list[str]:
    """Return the names of a row's tokens."""
    return [name_of(trace, token) for token in trace.inputs.tokens[row]]


def _given(run: Given) -> dict[str, Any]:
    """Return the header of quantities that the user gave."""
    texts = list(dict.fromkeys(text(token) for row in run.tokens for token in row))
    ids = {token: at for at, token in enumerate(texts)}
    first = run.quantities[0]
    nothing: dict[str, Any] = {"template": [], "right": None, "wrong": None, "right_prob": None, "right_rank": None}
    nothing |= {"before": None}
    return {
        "number": run.number,
        "rows": [
            nothing
            | {
                "prompt": "".join(map(text, row)),
                "ids": [ids[text(token)] for token in row],
                "target_position": max(0, len(row) - 1),
                "target": {"name": first.name, "value": None, "unit": first.unit},
            }
            for row in run.tokens or [()] * run.n_rows
        ],
        "texts": {str(at): token for at, token in enumerate(texts)},
        "specials": [],
        "bos": None,
        "depths": run.depths,
        "n_layers": run.n_layers,
        "n_heads": run.n_heads,
        "model": None,
        "interventions": [],
        "answered": [],
        "warnings": [],
    }


def _row(trace: Run, row: int) -> dict[str, Any]:
    shared = {
        "prompt": text(trace.inputs.prompts[row]),
        "ids": list(trace.inputs.tokens[row]),
        "template": [list(span) for span in trace.inputs.template[row]],
        "target_position": trace.target.positions[row],
    }
    target = {"name": text(trace.target.names[row]), "value": None, "unit": trace.target.unit}
    if isinstance(trace, ArrayRun):
        nothing = {"right": None, "wrong": None, "right_prob": None, "right_rank": None, "before": None}
        return shared | nothing | {"target": target}
    answered = _answered(trace, row, target | {"value": float(trace.target_value[row])})
    return shared | answered | {"before": None if trace.baseline is trace else _before(trace, row)}


def _answered(trace: Trace, row: int, target: dict[str, Any]) -> dict[str, Any]:
    right, wrong = trace.target.right[row], trace.target.wrong
    answers = {"right": _answer(right), "wrong": None if wrong is None else _answer(wrong[row]), "target": target}
    return answers | _right(trace, row)


def _right(trace: Trace, row: int) -> dict[str, Any]:
    """Return the right answer's probability and rank; with several right answers, none is "the" answer."""
    logits, ids = trace.logits[row : row + 1].float(), trace.target.right[row].ids
    if len(ids) > 1:
        return {"right_prob": None, "right_rank": None}
    rank = rank_of(logits, trace.tokens.new_tensor([ids[0]]))
    return {"right_prob": float(logits.softmax(-1)[0, ids[0]]), "right_rank": int(rank[0])}


def _before(trace: Trace, row: int) -> dict[str, Any]:
    """Return the untouched run's numbers, and how far the run with interventions is from them."""
    now, before = (run.logits[row].float().log_softmax(-1) for run in (trace, trace.baseline))
    kl = float((before.exp() * (before - now)).sum())
    return {"value": float(trace.baseline.target_value[row]), "kl": max(0.0, kl)} | _right(trace.baseline, row)


def _intervention(asked: Asked) -> dict[str, Any]:
    """Return an intervention as a view shows it."""
    one = asked.intervention
    if isinstance(one, Ablation):
        return {"do": "ablate", "parts": list(one.what), "kind": one.kind, "by": one.dose, "at": _places(one)}
    if isinstance(one, Scaling):
        return {"do": "scale", "parts": list(one.what), "kind": "", "by": one.factor, "at": _places(one)}
    return {"do": "steer", "parts": [one.name], "kind": "", "by": one.factor, "at": _places(one)}


def _places(one: Intervention) -> str:
    return "" if one.positions is None else f"at {brief(one.positions, 40)}"


def _model(trace: Trace) -> dict[str, str]:
    bos = trace.inputs.bos
    prepended = "no BOS added" if bos is None else f"BOS {text_of(trace, bos)}"
    return {
        "name": text(trace.facts.name),
        "dtype": trace.facts.dtype,
        "device": trace.facts.device,
        "processing": trace.facts.processing,
        "bos": f"{prepended} ({text(trace.inputs.bos_policy)})",
        "cached": text(trace.cache_mismatch),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {"ids": list(answer.ids), "text": text(answer.text)}
