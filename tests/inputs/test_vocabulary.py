"""Models without a tokenizer: ids, shown by number or by the names that the user gives."""

import pytest
import torch
from transformer_lens.model_bridge import TransformerBridge

import residscope as rs
from residscope import InputError
from residscope.header import header_of, tokens_of
from residscope.inputs.reader import Reader
from tests import vocabularies

P = 23
NAMES = [*map(str, range(P)), "="]
IDS = [3, 7, P]


@pytest.fixture(scope="module")
def model():
    """A model of addition modulo 23, as far as its tokens go."""
    return vocabularies.model(P + 1)


def difference(model, right=10, wrong=11, ids=IDS):
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, -1]
    return pytest.approx(float(logits[right] - logits[wrong]), abs=1e-4)


def test_ids_are_taken_and_shown_by_number(model):
    exp = rs.Experiment(model, IDS, answers=(10, 11))
    trace = exp.trace
    assert float(trace.target_value) == difference(model)
    assert (exp.prompts, trace.str_tokens) == (("3 7 23",), [["3", "7", "23"]])
    assert trace.target.names == ["'10' − '11'"]
    assert trace.warnings == []
    assert tokens_of(trace, 0) == ["3", "7", "23"]
    assert header_of(trace)["model"]["bos"] == "no BOS added (token ids as given)"
    assert trace.head_scores("previous token").shape == (1, 2, 4)
    assert trace.sum_check()[0].ok
    top, second = exp.run(answers=None).target.names[0].split(" − ")
    assert {top, second} <= {repr(str(token)) for token in range(P + 1)}
    exp.close()


@pytest.mark.parametrize("vocabulary", [NAMES, tuple(NAMES), NAMES.__getitem__, dict(enumerate(NAMES)).get])
def test_names_are_shown_and_read(model, vocabulary):
    exp = rs.Experiment(model, "3 7 =", answers=("10", "11"), vocabulary=vocabulary)
    assert exp.trace.inputs.tokens == (tuple(IDS),)
    assert exp.trace.str_tokens == [["3", "7", "="]]
    assert float(exp.trace.target_value) == difference(model)
    by_ids = rs.Experiment(model, torch.tensor([IDS, [4, 5, P]]), (10, 11), vocabulary=vocabulary)
    assert by_ids.prompts == ("3 7 =", "4 5 =")
    assert by_ids.trace.target.names == ["'10' − '11'"] * 2
    assert by_ids.fork().trace.str_tokens == by_ids.trace.str_tokens
    by_ids.update(vocabulary=None)
    assert by_ids.trace.str_tokens[0] == ["3", "7", "23"]
    exp.close()
    by_ids.close()


def test_an_edit_in_the_strip_is_read_as_it_is_shown(model):
    for vocabulary, text, ids in ((None, "3 8 23", (3, 8, 23)), (NAMES, "3 8 =", (3, 8, 23))):
        exp = rs.Experiment(model, IDS, (10, 11), vocabulary=vocabulary)
        strip = rs.TokenStrip(exp)
        strip._edit = {"id": 1, "base": exp.status.run, "prompts": [text]}
        assert exp.trace.inputs.tokens == (ids,)
        exp.close()


def test_names_of_one_character_stand_side_by_side():
    brackets = ["(", ")", "."]
    exp = rs.Experiment(vocabularies.model(3), "(())", answers=(")", "("), vocabulary=brackets)
    assert exp.trace.inputs.tokens == ((0, 0, 1, 1),)
    assert exp.run(prompts=[0, 1, 2]).inputs.prompts == ("().",)
    exp.close()


def test_a_board_is_named_by_a_function():
    def square(token):
        return None if token == 60 else f"{'ABCDEFGH'[token % 8]}{token // 8}"

    exp = rs.Experiment(vocabularies.model(61), [[20, 21, 60]], answers=(30, 31), vocabulary=square)
    assert exp.trace.str_tokens == [["E2", "F2", "<id 60>"]]
    exp.close()


def test_a_bridge_without_a_tokenizer_is_shown(model):
    bridge = rs.load_model(model)
    assert bridge.tokenizer is None
    exp = rs.Experiment(bridge, IDS, answers=("10", "11"), vocabulary=NAMES)
    assert float(exp.trace.target_value) == difference(model)
    _, cache = bridge.run_with_cache(torch.tensor([IDS]))
    cached = rs.Experiment.from_cache(bridge, cache, [IDS], (10, 11), vocabulary=NAMES)
    assert cached.trace.str_tokens == [["3", "7", "="]]
    assert rs.head_scores(bridge, "induction").shape == (2, 4)
    exp.close()
    cached.close()


def test_a_small_model_of_transformer_lens_own_is_refused_with_the_way_out():
    sizes = {"n_layers": 1, "d_model": 32, "n_heads": 4, "d_head": 8, "n_ctx": 3, "d_vocab": P + 1, "act_fn": "relu"}
    bridge = TransformerBridge.boot_native({**sizes, "d_mlp": 64, "normalization_type": "LN"})
    with pytest.raises(InputError, match=r"TransformerLensNative, .* has no Hugging Face config: build a small GPT2LM"):
        rs.Experiment(bridge, IDS)


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        (
            {"prompts": "3 7 ="},
            "prompts",
            r"this model has no tokenizer, so '3 7 =' in prompts cannot be read: give token ids, or tokenizer=",
        ),
        ({"answers": ("10", "11")}, "answers", "this model has no tokenizer, so '10' in answers cannot be read"),
        ({"prompts": [{"role": "user", "content": "3"}]}, "chat_template", "this model has no chat template"),
        (
            {"prepend_bos": True, "prompts": "3", "vocabulary": NAMES},
            "prepend_bos",
            "this model has no BOS token",
        ),
        (
            {"answers": ("ten", "11"), "vocabulary": NAMES},
            "answers",
            r"'ten' in answers is not a name in vocabulary=\.\.\.",
        ),
        ({"prompts": "3 8 +", "vocabulary": NAMES}, "prompts", r"'\+' in prompts is not a name in vocabulary"),
        (
            {"answers": ("7", "8"), "vocabulary": ["7"] * 24},
            "answers",
            "'7' in answers names tokens 0 and 1: give the id",
        ),
        (
            {"vocabulary": NAMES[1:]},
            "vocabulary",
            "vocabulary has 23 names and the model has 24 tokens: give one for each",
        ),
        ({"vocabulary": range(24)}, "vocabulary", "names in vocabulary are texts, and token 0 has 0"),
        (
            {"vocabulary": {"3": 3}},
            "vocabulary",
            "vocabulary is a list of names, one per token, or a function from id to",
        ),
        (
            {"vocabulary": 3},
            "vocabulary",
            "vocabulary is a list of names, one per token, or a function from id to name",
        ),
        (
            {"vocabulary": NAMES[:5].__getitem__},
            "vocabulary",
            r"vocabulary\(5\) raised IndexError: give a function that",
        ),
        ({"prompts": [3, 24]}, "prompts", "token id 24 in prompts is outside the vocabulary: ids go from 0 to 23"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(model, given, field, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        rs.Experiment(model, **{"prompts": IDS, "answers": (10, 11), **given})
    assert caught.value.field == field


def test_names_beside_a_tokenizer_are_refused(model):
    tokenizer = vocabularies.tokenizer("WordLevel")
    with pytest.raises(InputError, match="this model has a tokenizer, which names its tokens: leave vocabulary out"):
        rs.Experiment(model, IDS, (10, 11), tokenizer=tokenizer, vocabulary=NAMES)
    with pytest.raises(InputError, match="no tokenizer: write prompts as token ids with spaces between, not"):
        Reader(rs.load_model(model)).edited([IDS], ["3 + 7"])
