"""What all views of a run need once: its tokens, targets, depths, model and warnings, as plain data."""

from collections.abc import Iterable
from typing import Any

from residscope.analysis.lens import rank_of
from residscope.selection import Extent
from residscope.target import Answer
from residscope.trace import Trace
from residscope.wire import text, token_text


def scene_of(trace: Trace) -> dict[str, Any]:
    """Return the run's scene, the value of `Status._run`."""
    ids = {token for row in trace.inputs.tokens for token in row}
    answers = [*trace.target.right, *(trace.target.wrong or ())]
    bos = trace.inputs.bos
    return {
        "number": trace.number,
        "rows": [_row(trace, row) for row in range(len(trace.lengths))],
        "texts": texts_of(trace, ids | {token for answer in answers for token in answer.ids}),
        "specials": sorted(trace.special_ids & ids),
        "bos": bos,
        "depths": trace.depths,
        "n_layers": trace.n_layers,
        "n_heads": trace.n_heads,
        "model": {
            "name": text(trace.facts.name),
            "dtype": trace.facts.dtype,
            "device": trace.facts.device,
            "processing": trace.facts.processing,
            "bos": f"{_bos(trace)} ({text(trace.inputs.bos_policy)})",
            "hooks": text(trace.facts.hooks),
        },
        "warnings": [text(warning) for warning in trace.warnings],
    }


def extent_of(trace: Trace) -> Extent:
    """Return how far a selection may reach in the run."""
    return Extent(trace.lengths, len(trace.depths), trace.n_layers, trace.n_heads)


def texts_of(trace: Trace, ids: Iterable[int]) -> dict[str, str]:
    """Return token texts by id, safe to show."""
    return {str(token): token_text(trace.decode(token), trace.piece(token)) for token in sorted(ids)}


def _row(trace: Trace, row: int) -> dict[str, Any]:
    target, logits = trace.target, trace.logits[row : row + 1].float()
    right = target.right[row]
    return {
        "prompt": text(trace.inputs.prompts[row]),
        "ids": list(trace.inputs.tokens[row]),
        "template": [list(span) for span in trace.inputs.template[row]],
        "read": target.positions[row],
        "right": _answer(right),
        "wrong": None if target.wrong is None else _answer(target.wrong[row]),
        "target": {"name": text(target.names[row]), "value": float(trace.target_value[row]), "unit": target.unit},
        # Of several right answers none is "the" one.
        "right_prob": float(logits.softmax(-1)[0, right.ids[0]]) if len(right.ids) == 1 else None,
        "right_rank": int(rank_of(logits, trace.tokens.new_tensor([right.ids[0]]))[0]) if len(right.ids) == 1 else None,
    }


def _bos(trace: Trace) -> str:
    bos = trace.inputs.bos
    return "no BOS added" if bos is None else f"BOS {token_text(trace.decode(bos), trace.piece(bos))}"


def _answer(answer: Answer) -> dict[str, Any]:
    return {"ids": list(answer.ids), "text": text(answer.text)}
