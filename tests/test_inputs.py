"""Prompts and answers: what is accepted, and the sentence for what is not."""

import pytest
import torch

import residscope as rs
from residscope import InputError
from residscope.inputs import Reader, spelling_warnings
from tests import tiny

PROMPT = "When Mary and John went to the store, John gave a drink to"


@pytest.fixture(scope="module")
def model():
    return tiny.bridge("llama")


@pytest.fixture
def read(model):
    def read(prompts=PROMPT, answers=None, corrupted=None, position=None, *, bos=None, chat=False):
        return Reader(model, bos, chat).read(prompts, answers, corrupted, position)

    return read


def test_the_bos_is_the_models_habit_unless_set(read):
    assert read().tokens[0][0] == 0
    assert read().bos == 0
    assert read(bos=False).tokens[0] == read().tokens[0][1:]
    assert read(bos=False).bos is None


def test_one_tuple_holds_for_every_prompt_and_a_list_has_one_entry_each(read):
    both = read([PROMPT, "Tom met Anna"], (" Mary", " John")).answers
    assert both[0] == both[1]
    single = read([PROMPT, "Tom met Anna"], [(" Mary", " John"), (" Tom", " Anna")]).answers
    assert [pair.right.text for pair in single] == [" Mary", " Tom"]
    alone = read([PROMPT, "Tom met Anna"], [" Mary", " Tom"]).answers
    assert [pair.wrong for pair in alone] == [None, None]


REFUSED = [
    ({"prompts": ""}, "prompts", "an empty text in prompts"),
    ({"prompts": []}, "prompts", "no text in prompts"),
    ({"prompts": [PROMPT, 3]}, "prompts", "prompts is a text or a list of texts, and 3 is neither"),
    ({"prompts": "Tom met \ud800"}, "prompts", "half a character"),
    ({"prompts": "a " * 100}, "prompts", r"tokens in prompts, and this model reads at most 64: shorten"),
    ({"answers": ([" Mary Ann"], " John")}, "answers", r"' Mary Ann' is \d+ tokens \(' Mary' · .*single token"),
    ({"answers": (" Mary Tom", " Mary")}, "answers", "' Mary Tom' begins with ' Mary': give two answers that differ"),
    ({"answers": (" Mary\ud800", " Tom")}, "answers", "half a character"),
    ({"answers": (" Mary Tom", " Mary Ann"), "position": 3}, "target_position", "use target_position=None"),
    ({"answers": ""}, "answers", "the answer '' is no token at all"),
    ({"answers": ("", " John")}, "answers", "the answer '' is no token at all"),
    ({"answers": (" Mary", " Mary")}, "answers", "right and wrong are the same, ' Mary': give two"),
    ({"answers": (" Mary", " John", " Tom")}, "answers", "3 answers in one tuple: give"),
    ({"answers": [" Mary", " John"]}, "answers", "2 answers for 1 prompts: give one"),
    ({"answers": (10**9, 2)}, "answers", "token id 1000000000 in answers is outside the vocabulary: ids go from 0 to"),
    ({"answers": (-1, 2)}, "answers", "token id -1 in answers is outside"),
    ({"answers": (1.5, 2)}, "answers", "an answer is text or a token id, not float"),
    ({"answers": ([], " John")}, "answers", "an empty list of answers"),
    ({"prompts": ["a", "b"], "answers": [" Mary", (" Mary", " John")]}, "answers", "some prompts have a wrong answer"),
    ({"corrupted": "Tom met Anna"}, "corrupted", r"a corrupted prompt has 4 tokens and its prompt 15: .* · ' met' · "),
    ({"corrupted": [PROMPT, PROMPT]}, "corrupted", "2 corrupted prompts for 1 prompts"),
    ({"position": 15}, "target_position", "target_position 15 is not in every row: give -15 to 14"),
    ({"position": True}, "target_position", "target_position True"),
    ({"bos": "yes"}, "prepend_bos", "prepend_bos is True or False, not 'yes'"),
    ({"chat": True}, "chat_template", "this model has no chat template"),
]


@pytest.mark.parametrize(("given", "field", "sentence"), REFUSED, ids=lambda part: str(part)[:40])
def test_what_cannot_be_used_is_refused_in_one_sentence(read, given, field, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        read(**given)
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_answers_of_several_tokens_are_compared_at_their_first_difference_after_what_they_share(read):
    inputs = read(
        answers=(" Mary Tom", " Mary Anna"), corrupted="When Mary and John went to the store, Mary gave a drink to"
    )
    (pair,) = inputs.answers
    assert (pair.right.text, pair.wrong.text) == (" Tom", " Anna")
    assert pair.written == (" Mary Tom", " Mary Anna")
    assert inputs.tokens[0][-1] == inputs.corrupted_tokens[0][-1] == pair.shared[0]
    assert inputs.positions == (len(read().tokens[0]),)
    assert inputs.warnings == (
        "The answers ' Mary Tom' (' Mary' · ' Tom') and ' Mary Anna' (' Mary' · ' Anna') are compared at the first "
        "token where they differ, ' Tom' against ' Anna', after ' Mary'.",
    )


def test_one_answer_of_several_tokens_is_read_at_its_first(read):
    inputs = read(answers=" Mary Tom")
    assert inputs.answers[0].right.text == " Mary"
    assert inputs.tokens == read().tokens
    assert inputs.warnings == ("The answer ' Mary Tom' (' Mary' · ' Tom') is read at its first token, ' Mary'.",)


def test_a_notebook_shows_the_sentence_of_a_refusal_and_no_frames(read):
    with pytest.raises(InputError) as caught:
        read("")
    assert caught.value._render_traceback_() == ["InputError: an empty text in prompts: give at least one token"]


def test_the_demo_model_names_the_words_it_does_not_know_and_no_special_token():
    model = rs.load_model("demo")
    (warning,) = Reader(model, False, False).read("<|endoftext|>Mary met Zorblax", None, None, None).warnings
    assert warning.startswith("The demo model does not know 'Zorblax' and reads it byte by byte")


def test_a_corrupted_prompt_of_the_same_length_is_kept(read):
    corrupted = "When Mary and John went to the store, Mary gave a drink to"
    inputs = read(corrupted=corrupted)
    assert inputs.corrupted == (corrupted,)
    assert len(inputs.corrupted_tokens[0]) == len(inputs.tokens[0])


def test_negative_positions_count_from_each_rows_own_end(read):
    inputs = read([PROMPT, "Tom met Anna"], position=-2)
    assert inputs.positions == (13, 2)


def test_a_bos_that_the_tokenizer_did_not_declare_is_warned_of():
    model = tiny.bridge("llama")
    model.tokenizer.init_kwargs["bos_token"] = None
    warnings = Reader(model, True, False).read(PROMPT, None, None, None).warnings
    assert any("ends or pads texts in this model; prepend_bos=False leaves it out" in warning for warning in warnings)
    assert Reader(model, False, False).read(PROMPT, None, None, None).warnings == ()


def test_a_prompt_with_a_bos_of_its_own_is_warned_of(read):
    assert any("another was prepended" in warning for warning in read("<|endoftext|>Tom met Anna").warnings)
    assert read("<|endoftext|>Tom met Anna", bos=False).warnings == ()


def test_a_far_likelier_other_spelling_is_warned_of(read, model):
    inputs = read(answers=("Mary", " John"))
    other, given = (model.tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in (" Mary", "Mary"))
    logits = torch.zeros(1, model.cfg.d_vocab)
    assert spelling_warnings(inputs, logits, model.tokenizer) == []
    logits[0, other] = 4.0
    assert given != other
    assert spelling_warnings(inputs, logits, model.tokenizer) == [
        "' Mary' is 55 times likelier than 'Mary' here: is that the answer meant?"
    ]
