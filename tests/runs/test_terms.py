"""A target of several terms, in two rows: a whole answer against another, after the same prompt."""

import pytest
import torch

import residscope as rs
from residscope.inputs.reader import Reader
from residscope.inputs.target import Answer, Target
from residscope.models import Edit, Site
from tests import architectures, plain_edits

PROMPT, RIGHT, WRONG = [0, 45, 32, 60, 33, 71, 80], [91, 104, 37], [52, 66]
"""Any tokens."""

NAMES = ["GPT-2", "Llama", "Gemma-2", "Granite", "Cohere", "gpt-oss"]


def whole_answers(alone="log-probability"):
    """Return the target: what all tokens of the right answer have, less what all of the wrong one have."""
    at = len(PROMPT) - 1
    positions = [at + offset for answer in (RIGHT, WRONG) for offset in range(len(answer))]
    answers = tuple(Answer((token,), f"t{token}") for token in (*RIGHT, *WRONG))
    rows, signs = (0,) * len(RIGHT) + (1,) * len(WRONG), (1,) * len(RIGHT) + (-1,) * len(WRONG)
    return Target(tuple(positions), answers, None, alone, rows=rows, signs=signs, groups=(0,) * len(answers))


def inputs_of(model):
    return Reader(model).parse([PROMPT + RIGHT, PROMPT + WRONG], None, None, None)


def trace_of(model, alone="log-probability", edits=()):
    return rs.Trace(model, inputs_of(model), target=whole_answers(alone), edits=edits)


def term_by_term(model, alone, edits=()):
    """Yield the sign of each term, and a run that has that term alone: a group, and one in the other row."""
    target = whole_answers(alone)
    for row, position, answer, sign in zip(target.rows, target.positions, target.right, target.signs, strict=True):
        positions = [len(PROMPT) - 1] * 2
        positions[row] = position
        answers = [Answer((1,), "any")] * 2
        answers[row] = answer
        yield row, sign, rs.Trace(model, inputs_of(model), target=Target(positions, answers, None, alone), edits=edits)


EDITS = {
    "untouched": [],
    "edited": [
        Edit(Site("head", 1, 2), 0),
        Edit(Site("attn", 2, positions=[-1, -2]), 0.5),
        Edit(Site("mlp", 0, positions=[2]), 0),
        Edit(Site("resid_post", 1, positions=[-2]), 1, torch.linspace(-1, 1, 32)),
    ],
}


@pytest.mark.parametrize("edits", EDITS)
@pytest.mark.parametrize("alone", ["log-probability", "logit"])
@pytest.mark.parametrize("name", NAMES)
def test_every_number_is_the_sum_over_terms_with_their_signs(name, alone, edits):
    model, edits = architectures.build(name), EDITS[edits]
    trace = trace_of(model, alone, edits)
    expected, own = 0.0, architectures.hf_model(name)
    for answer, sign, row in ((RIGHT, 1, 0), (WRONG, -1, 1)):
        ids = PROMPT + answer
        placed = []
        for edit in edits:
            at = [position % len(ids) for position in edit.site.positions or range(len(ids))]
            plus = None if edit.plus is None else edit.plus.expand(len(ids), -1)
            placed.append((edit.site.kind, edit.site.layer, edit.site.head, at, edit.factor, plus))
        logits = plain_edits.logits(own, ids, placed)
        scores = logits.log_softmax(-1) if alone == "log-probability" else logits
        expected += sign * sum(float(scores[len(PROMPT) - 1 + n, token]) for n, token in enumerate(answer))
        assert trace.lengths[row] == len(ids)
    scale = float(trace.logits.abs().max())
    assert trace.target_value.tolist() == [pytest.approx(expected, abs=1e-5 * scale)]
    terms = list(term_by_term(model, alone, edits))
    for number in ("head_attribution", "values", "lens"):
        got, one_by_one = numbers(trace)[number][0], [sign * numbers(one)[number][row] for row, sign, one in terms]
        atol = 1e-5 * float(torch.stack(one_by_one).abs().sum(0).max())
        torch.testing.assert_close(got, torch.stack(one_by_one).sum(0), atol=atol, rtol=0)
    assert [check.reason for check in trace.sum_check()] == [""]
    assert [check.reason for check in trace.layer_check()] == [""] * 5
    assert [check.reason for check in trace.lens_target().checks] == [""] * 5
    sources = trace.token_attribution()
    torch.testing.assert_close(sources.nansum((0, -1)), trace.head_attribution()[0], atol=1e-5 * scale, rtol=1e-4)


def numbers(trace):
    return {
        "head_attribution": trace.head_attribution(),
        "values": trace.component_attribution().values,
        "lens": trace.lens_target().value,
    }


def test_a_dropped_part_turns_the_check_of_a_group_amber(monkeypatch):
    trace = trace_of(architectures.build("GPT-2"))
    whole = trace.component_attribution()
    for dropped, label in enumerate(whole.labels):
        values = whole.values.clone()
        values[:, dropped] = 0
        monkeypatch.setattr(trace, "component_attribution", lambda values=values: type(whole)(whole.labels, values))
        (check,) = trace.sum_check()
        assert check.ok == (abs(float(whole.values[0, dropped])) <= check.tolerance), label


def test_a_group_is_named_by_its_terms():
    assert whole_answers().names == [
        "log P('t91') + log P('t104') + log P('t37') \N{MINUS SIGN} log P('t52') \N{MINUS SIGN} log P('t66')"
    ]
    both = Target((1, 2), (Answer((1,), "a"),) * 2, (Answer((2,), "b"),) * 2, groups=(0, 0), signs=(-1, 1))
    assert both.names == ["\N{MINUS SIGN}('a' \N{MINUS SIGN} 'b') + ('a' \N{MINUS SIGN} 'b')"]
    assert "log P('t91') + log P" in repr(trace_of(architectures.build("GPT-2")))


def test_where_terms_share_a_row_what_has_a_value_at_each_position_is_refused():
    trace = trace_of(architectures.build("Llama"))
    for ask in (trace.target_curve, lambda: trace.source_split(0)):
        with pytest.raises(ValueError, match="this target has several terms, so it has no value at each"):
            ask()
    assert torch.equal(
        trace.head_tokens(1, 2, row=1).promoted, trace.head_tokens(1, 2, row=1, position=len(PROMPT) - 1).promoted
    )
    one = Target((3,), (Answer((5,), "five"),), None, rows=(1,))
    with pytest.raises(IndexError, match="there is no position None"):
        rs.Trace(trace._model, trace.inputs, target=one).head_tokens(1, 2, row=0)
    with pytest.raises(rs.InputError, match="give one position, right and wrong answer per prompt"):
        rs.Experiment(trace._model, [PROMPT + RIGHT, PROMPT + WRONG], target=whole_answers())


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"rows": (0,)}, "one of its rows for each term"),
        ({"rows": (0, -1)}, "rows are counted from 0"),
        ({"signs": (1, 2)}, "signs are 1 and -1"),
        ({"groups": (0, 2)}, "groups are 0, 1, ... with at least one term each"),
        ({"groups": (0.5, 1)}, "groups are whole numbers"),
    ],
    ids=str,
)
def test_terms_that_are_none_are_refused(parts, sentence):
    with pytest.raises(ValueError, match=sentence):
        Target((1, 2), (Answer((1,), "a"),) * 2, None, **parts)
