"""What all views of a run share: its tokens, targets, depths, model and warnings, as plain data."""

from collections.abc import Iterable
from typing import Any

from residscope.analysis.lens import rank_of
from residscope.errors import brief
from residscope.export.words import visible
from residscope.given import Given, Run
from residscope.inputs.interventions import Ablation, Asked, Scaling
from residscope.inputs.reader import Inputs
from residscope.inputs.target import Answer
from residscope.live.shared import Extent
from residscope.live.wire import text, token_text
from residscope.models import TransformerBridge
from residscope.runs.decomposition import possible_labels
from residscope.runs.trace import Trace


def header_of(run: Run) -> dict[str, Any]:
    """Return the run's header, the value of `Status._header`; given numbers have no model to describe."""
    ids = {token for row in range(len(run.lengths)) for token in ids_of(run, row)}
    header = {
        "number": run.number,
        "rows": [_row(run, row) for row in range(len(run.lengths))],
        "texts": texts_of(run, ids),
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
    return header if isinstance(run, Given) else header | _of_model(run, ids)


def extent_of(run: Run) -> Extent:
    """Return how far a selection may reach in the run."""
    parts = run.labels if isinstance(run, Given) else possible_labels(run.n_layers)
    return Extent(run.lengths, len(run.depths), run.n_layers, run.n_heads, tuple(parts))


def expected_extent(model: TransformerBridge, inputs: Inputs) -> Extent:
    """Return how far a selection will reach in the run of these inputs."""
    n_layers = int(model.cfg.n_layers)
    lengths = tuple(len(row) for row in inputs.tokens)
    return Extent(lengths, 2 * n_layers + 1, n_layers, int(model.cfg.n_heads), possible_labels(n_layers))


def texts_of(run: Run, ids: Iterable[int]) -> dict[str, str]:
    """Return token texts by id, safe to show."""
    return {str(token): text_of(run, token) for token in sorted(ids)}


def text_of(run: Run, token: int) -> str:
    """Return a token's text, safe to show."""
    return run.decode(token) if isinstance(run, Given) else token_text(run.decode(token), run.vocabulary_entry(token))


def name_of(run: Run, token: int) -> str:
    """Return a token's text for a still picture, with the spaces at its edges marked, and BOS called "BOS"."""
    is_bos = isinstance(run, Trace) and token == run.inputs.bos
    return "BOS" if is_bos else visible(text_of(run, token))


def ids_of(run: Run, row: int) -> tuple[int, ...]:
    """Return the ids of a row's tokens; for given tokens, the numbers that stand for their texts."""
    return run.token_ids[row] if isinstance(run, Given) else tuple(run.inputs.tokens[row])


def tokens_of(run: Run, row: int) -> list[str]:
    """Return the names of a row's tokens."""
    return [name_of(run, token) for token in ids_of(run, row)]


def target_position(run: Run, row: int) -> int:
    """Return where the target is read in a row; for given numbers, the last position."""
    return max(0, run.lengths[row] - 1) if isinstance(run, Given) else run.target.positions[row]


def unit_of(run: Run) -> str:
    """Return the target's unit; for given numbers, the first quantity's."""
    return run.unit if isinstance(run, Given) else run.target.unit


def _row(run: Run, row: int) -> dict[str, Any]:
    ids = list(ids_of(run, row))
    shared: dict[str, Any] = {"ids": ids, "target_position": target_position(run, row), "before": None}
    if isinstance(run, Given):
        nothing: dict[str, Any] = {"template": [], "right": None, "wrong": None, "right_prob": None, "right_rank": None}
        target = {"name": run.name, "value": None, "unit": run.unit}
        return shared | nothing | {"prompt": "".join(map(run.decode, ids)), "target": target}
    return shared | _answered(run, row)


def _answered(trace: Trace, row: int) -> dict[str, Any]:
    name, value = text(trace.target.names[row]), float(trace.target_value[row])
    wrong = trace.target.wrong
    answered = {
        "prompt": text(trace.inputs.prompts[row]),
        "template": [list(span) for span in trace.inputs.template[row]],
        "right": _answer(trace.target.right[row]),
        "wrong": None if wrong is None else _answer(wrong[row]),
        "target": {"name": name, "value": value, "unit": trace.target.unit},
        "before": None if trace.baseline is trace else _before(trace, row),
    }
    return answered | _right(trace, row)


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
        done = {"do": "ablate", "parts": list(one.what), "kind": one.kind, "by": one.dose}
    elif isinstance(one, Scaling):
        done = {"do": "scale", "parts": list(one.what), "kind": "", "by": one.factor}
    else:
        done = {"do": "steer", "parts": [one.name], "kind": "", "by": one.factor}
    return done | {"at": "" if one.positions is None else f"at {brief(one.positions, 40)}"}


def _of_model(trace: Trace, ids: set[int]) -> dict[str, Any]:
    """Return what only the run of a model has to say."""
    answers = [*trace.target.right, *(trace.target.wrong or ())]
    return {
        "texts": texts_of(trace, ids | {token for answer in answers for token in answer.ids}),
        "specials": sorted(trace.special_ids & ids),
        "bos": trace.inputs.bos,
        "model": _model(trace),
        "interventions": list(map(_intervention, trace.inputs.interventions)),
        "answered": trace.what_answered(),
        "warnings": [text(warning) for warning in trace.warnings],
    }


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
