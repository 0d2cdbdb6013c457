"""What only a run can say about its inputs: the target without answers, and which spelling is likelier."""

import torch
from jaxtyping import Float
from torch import Tensor

from residscope.inputs.reader import Inputs
from residscope.inputs.target import Answer, Target


def resolve(inputs: Inputs, logits: Float[Tensor, "row d_vocab"]) -> Target:
    """Return the target; without answers it is the model's top token against its second.

    Args:
        inputs: with answers or none.
        logits: where the target is read, on the untouched run.
    """
    if inputs.answers is None:
        tops = logits.topk(2, dim=-1).indices.tolist()
        pairs = [tuple(Answer((token,), inputs.vocabulary.decode(token)) for token in top) for top in tops]
        return Target(inputs.positions, tuple(p[0] for p in pairs), tuple(p[1] for p in pairs))
    right = tuple(pair.right for pair in inputs.answers)
    wrong = tuple(pair.wrong for pair in inputs.answers if pair.wrong is not None)
    return Target(inputs.positions, right, wrong or None, inputs.alone)


def spelling_warnings(inputs: Inputs, logits: Float[Tensor, "row d_vocab"]) -> list[str]:
    """Warn of right answers whose other spelling, with or without a leading space, is at least 20 times likelier."""
    warnings: dict[str, None] = {}
    vocabulary = inputs.vocabulary
    if vocabulary.tokenizer is None:
        return []
    for row, pair in enumerate(inputs.answers or ()):
        if len(pair.right.ids) != 1 or pair.note:
            continue
        (right,) = pair.right.ids
        text = vocabulary.decode(right)
        other = text[1:] if text.startswith(" ") else f" {text}"
        ids = vocabulary.encode_after("answers", other, "") if other else ()
        if len(ids) != 1:
            continue
        ratio = float(torch.exp((logits[row, ids[0]] - logits[row, right]).double()))
        if ratio >= 20:
            warnings[f"{other!r} is {ratio:,.0f} times likelier than {text!r} here: did you mean that answer?"] = None
    return list(warnings)
