"""Prompts and answers: what is accepted, and the sentence for what is not."""

import numpy as np
import pytest
import torch

import residscope as rs
from residscope import InputError
from residscope.inputs.encoding import Settings
from residscope.inputs.reader import Reader
from residscope.runs.resolve import spelling_warnings
from tests import tiny

PROMPT = "When Mary and John went to the store, John gave a drink to"


@pytest.fixture(scope="module")
def model():
    return tiny.bridge("llama")


@pytest.fixture
def read(model):
    def read(prompts=PROMPT, answers=None, corrupted=None, position=None, *, bos=None, chat=None):
        return Reader(model, Settings(bos, chat)).parse(prompts, answers, corrupted, position)

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
    ({"prompts": ""}, "prompts", "prompts has an empty text"),
    ({"prompts": []}, "prompts", "prompts is empty: give at least one text"),
    (
        {"prompts": [PROMPT, 3]},
        "prompts",
        "prompts is a text, chat messages, token ids, or a list of these, not 3",
    ),
    ({"prompts": [PROMPT, [1, 2]]}, "prompts", "prompts mixes texts and token ids: give all in one form"),
    ({"prompts": [[1, 2], []]}, "prompts", "prompts has an empty list: give at least one token"),
    ({"prompts": [1, 2.5]}, "prompts", "a token id in prompts is a whole number, not 2.5"),
    ({"prompts": [1, True]}, "prompts", "a token id in prompts is a whole number, not True"),
    ({"prompts": torch.zeros(1, 3)}, "prompts", "a token id in prompts is a whole number, not 0.0"),
    ({"prompts": [1, 10**9]}, "prompts", "token id 1000000000 in prompts is outside the vocabulary: ids go from 0 to"),
    ({"prompts": [1] * 65}, "prompts", "65 tokens in prompts, and this model reads at most 64: shorten"),
    ({"prompts": [1, 2], "bos": True}, "prepend_bos", "token ids are taken as they are: leave prepend_bos out, or"),
    ({"prompts": [1, 2], "corrupted": "a b"}, "corrupted", "corrupted and prompts have different forms: give both in"),
    ({"prompts": "Tom met \ud800"}, "prompts", "half a character"),
    ({"prompts": "a " * 100}, "prompts", r"tokens in prompts, and this model reads at most 64: shorten"),
    ({"answers": ([" Mary Ann"], " John")}, "answers", r"' Mary Ann' has \d+ tokens \(' Mary' · .*single token"),
    ({"answers": (" Mary Tom", " Mary")}, "answers", "' Mary Tom' begins with ' Mary': give two answers that differ"),
    ({"answers": (" Mary\ud800", " Tom")}, "answers", "half a character"),
    ({"answers": (" Mary Tom", " Mary Ann"), "position": 3}, "target_position", "use target_position=None"),
    ({"answers": ""}, "answers", "the answer '' has no tokens"),
    ({"answers": ("", " John")}, "answers", "the answer '' has no tokens"),
    ({"answers": (" Mary", " Mary")}, "answers", "the right and the wrong answer are the same, ' Mary': give two"),
    ({"answers": (" Mary", " John", " Tom")}, "answers", "3 answers in one tuple: give"),
    ({"answers": (" Mary",)}, "answers", "1 answer in one tuple: give"),
    ({"prompts": ["a", "b"], "corrupted": ["a"]}, "corrupted", "1 corrupted prompt for 2 prompts: give"),
    ({"answers": [" Mary", " John"]}, "answers", "2 answers for 1 prompt: give one"),
    ({"answers": (10**9, 2)}, "answers", "token id 1000000000 in answers is outside the vocabulary: ids go from 0 to"),
    ({"answers": (-1, 2)}, "answers", "token id -1 in answers is outside"),
    ({"answers": (1.5, 2)}, "answers", "an answer is text or a token id, not float"),
    ({"answers": (True, 2)}, "answers", "an answer is text or a token id, not bool"),
    (
        {"prompts": {"role": "user", "content": "Hello"}},
        "prompts",
        r"a chat message in prompts goes in a list, even a single one: \[\{'content': 'Hello', 'role': 'user'",
    ),
    ({"answers": ([], " John")}, "answers", "a list of answers is empty"),
    ({"prompts": ["a", "b"], "answers": [" Mary", (" Mary", " John")]}, "answers", "some prompts have a wrong answer"),
    (
        {"corrupted": "Tom met Anna"},
        "corrupted",
        r"a corrupted prompt has 4 tokens and its prompt has 15: .* · ' met' · ",
    ),
    ({"corrupted": [PROMPT, PROMPT]}, "corrupted", "2 corrupted prompts for 1 prompt: give"),
    ({"position": 15}, "target_position", "target_position 15 is not in every row: give -15 to 14"),
    ({"position": True}, "target_position", "target_position True"),
    ({"position": torch.tensor(True)}, "target_position", r"target_position tensor\(True\)"),
    ({"position": 3.0}, "target_position", "target_position 3.0"),
    ({"bos": "yes"}, "prepend_bos", "prepend_bos is True or False, not 'yes'"),
    ({"chat": True}, "chat_template", "this model has no chat template"),
]


@pytest.mark.parametrize(("given", "field", "sentence"), REFUSED, ids=lambda part: str(part)[:40])
def test_what_cannot_be_used_is_refused_in_one_sentence(read, given, field, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        read(**given)
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        list,
        tuple,
        torch.tensor,
        np.array,
        lambda ids: [np.int64(token) for token in ids],
        lambda ids: [ids],
        lambda ids: torch.tensor([ids]),
        lambda ids: [torch.tensor(ids)],
    ],
    ids=["list", "tuple", "tensor", "array", "numpy ids", "list of lists", "one row", "list of tensors"],
)
def test_token_ids_are_taken_as_they_are_and_shown_decoded(read, model, given):
    ids = model.tokenizer(PROMPT, add_special_tokens=False)["input_ids"]
    inputs = read(given(ids), (" Mary Tom", " Mary Anna"))
    shared = inputs.answers[0].shared
    assert inputs.tokens == ((*ids, *shared),)
    assert (inputs.prompts, inputs.form, inputs.bos) == ((PROMPT,), "ids", None)
    assert all(type(token) is int for token in inputs.tokens[0])
    assert read([0, *ids]).tokens == read().tokens
    assert read([0, *ids]).prompts == (PROMPT,), "as for a text, the BOS is no part of it"
    assert read().form == "texts"


def test_each_row_of_ids_is_a_prompt_and_a_corrupted_one_is_taken_as_it_is_too(read):
    inputs = read(torch.tensor([[5, 6, 7], [8, 9, 10]]), corrupted=[[5, 6, 8], [8, 9, 11]])
    assert inputs.tokens == ((5, 6, 7), (8, 9, 10))
    assert inputs.corrupted_tokens == ((5, 6, 8), (8, 9, 11))
    assert read([[5], [6, 7]]).positions == (0, 1)


def test_edited_token_ids_keep_their_bos_and_those_not_edited_keep_every_token(model):
    tokenizer = model.tokenizer
    mary = tokenizer("Mary met Tom", add_special_tokens=False)["input_ids"]
    # No text is read as these two tokens.
    odd = [
        *tokenizer(" M", add_special_tokens=False)["input_ids"],
        *tokenizer("ary", add_special_tokens=False)["input_ids"],
    ]
    rows = [[0, *mary], odd]
    reader = Reader(model)
    texts = reader.parse(rows, None, None, None).prompts
    assert texts == ("Mary met Tom", " Mary")
    assert reader.edited(rows, texts) == [(0, *mary), tuple(odd)]
    anna = tokenizer("Anna", add_special_tokens=False)["input_ids"]
    assert reader.edited(rows, ["Anna", " Mary"]) == [(0, *anna), tuple(odd)]
    assert reader.edited(rows, ["Mary met Tom", "Anna"]) == [(0, *mary), tuple(anna)]
    assert reader.edited(rows, [" Mary"]) == [tuple(odd)], "a row that went takes its tokens with it"
    assert reader.edited(rows, [*texts, "Anna"]) == [(0, *mary), tuple(odd), tuple(anna)]
    assert reader.edited("Mary met Tom", ["Anna"]) == ["Anna"]


ABSURD = [
    {"answers": ([" Mary" * 5000], " Tom")},
    {"answers": (" Mary" * 5000, " Mary" * 5000)},
    {"answers": (" Mary" * 5000, " Mary")},
    {"answers": ([5] * 5000, [5] * 5000)},
    {"answers": [" Mary"] * 5000},
    {"answers": (object(), " Mary")},
    {"prompts": [PROMPT, 10**300]},
    {"prompts": [PROMPT, {"a": "b" * 10000}]},
    {"prompts": [1, "a" * 10000]},
    {"prompts": PROMPT, "corrupted": "To" + " Mary" * 50},
    {"prompts": list(range(3, 60)), "corrupted": list(range(3, 50))},
    {"position": 10**300},
    {"bos": "a" * 10000},
    {"chat": ["a" * 10000]},
]


@pytest.mark.parametrize("given", ABSURD, ids=[f"{index} {' and '.join(given)}" for index, given in enumerate(ABSURD)])
def test_a_refusal_of_something_absurd_is_still_one_readable_sentence(read, given):
    with pytest.raises(InputError) as caught:
        read(**given)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_corrupted_prompt_of_another_length_is_shown_where_it_first_differs(read):
    words = " Mary met Tom and Anna" * 8
    with pytest.raises(
        InputError, match=r"has 43 tokens .* its prompt has 42: one begins with the other, … · ' and' · "
    ):
        read("A" + words, corrupted="A" + words + " John")
    with pytest.raises(InputError, match=r"first differ at position 42, … · ' and' · ' Anna' · ' John' against "):
        read("A" + words + " Tom met Mary", corrupted="A" + words + " John")


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
    assert caught.value._render_traceback_() == ["InputError: prompts has an empty text: give at least one token"]


def test_the_demo_model_names_the_words_it_does_not_know_and_no_special_token():
    model = rs.load_model("demo")
    reader = Reader(model, Settings(prepend_bos=False))
    (warning,) = reader.parse("<|endoftext|>Mary met Zorblax", None, None, None).warnings
    assert warning.startswith("The demo model does not know 'Zorblax' and reads it badly, byte by byte")


def test_ids_are_no_text_and_no_word_of_theirs_is_unknown():
    model = rs.load_model("demo")
    ids = model.tokenizer("Mary met Zorblax", add_special_tokens=False)["input_ids"]
    pad = model.tokenizer.pad_token_id
    (warning,) = Reader(model).parse([[pad, pad, *ids]], None, None, None).warnings
    assert "padding" in warning, "nothing is said of words"


def test_ids_that_only_the_model_has_are_named_by_their_number():
    hf_model = tiny.hf_model("llama")
    size = hf_model.config.vocab_size
    hf_model.resize_token_embeddings(size + 8)
    with torch.no_grad():
        hf_model.lm_head.weight[size + 3] = 9 * hf_model.lm_head.weight[size - 1]
        hf_model.lm_head.weight[size + 4] = -9 * hf_model.lm_head.weight[size - 1]
    exp = rs.Experiment(hf_model, [[0, size + 1, 5]], (size + 2, 5), tokenizer=tiny.tokenizer())
    trace = exp.trace
    assert (trace.vocabulary_entry(size + 1), trace.decode(size + 1)) == (f"<id {size + 1}>",) * 2
    assert trace.str_tokens[0][1] == f"<id {size + 1}>"
    assert trace.target.names[0].startswith(f"'<id {size + 2}>' −")
    assert exp.status._header["texts"][str(size + 1)] == f"<id {size + 1}>"
    (names,) = exp.run(answers=None).target.names
    assert f"<id {size + 3}>" in names or f"<id {size + 4}>" in names
    exp.close()


def test_a_corrupted_prompt_of_the_same_length_is_kept(read):
    corrupted = "When Mary and John went to the store, Mary gave a drink to"
    inputs = read(corrupted=corrupted)
    assert inputs.corrupted == (corrupted,)
    assert len(inputs.corrupted_tokens[0]) == len(inputs.tokens[0])


def test_negative_positions_count_from_each_rows_own_end(read):
    inputs = read([PROMPT, "Tom met Anna"], position=-2)
    assert inputs.positions == (13, 2)


NUMBERS = [np.int64, np.uint8, np.array, torch.tensor]


@pytest.mark.parametrize("kind", NUMBERS, ids=lambda kind: kind.__name__)
def test_whole_numbers_of_numpy_and_torch_are_taken_as_pythons_own(model, read, kind):
    assert read(position=kind(3)).positions == (3,)
    assert read(answers=(kind(5), kind(6))).answers == read(answers=(5, 6)).answers
    exp = rs.Experiment(model, PROMPT, target_position=kind(3))
    assert exp.trace.inputs.target_position == exp.question.target_position == 3
    exp.update(target_position=3)
    assert len(exp.history) == 1, "the same inputs"
    exp.close()
    target = rs.Target((kind(3),), (rs.Answer((kind(5),), "x"),), None)
    assert target == rs.Target((3,), (rs.Answer((5,), "x"),), None)
    assert type(target.right[0].ids[0]) is int


@pytest.mark.parametrize("target", [np.array([1, 2]), "probability", 3])
def test_what_is_no_target_is_refused(model, target):
    with pytest.raises(InputError, match=r'a target is a Target, or "logit", not (array\(\[1, 2|.probability|3)'):
        rs.Experiment(model, PROMPT, target=target)


def test_a_position_beside_a_target_made_by_hand_is_refused(model):
    target = rs.Target((3,), (rs.Answer((5,), "x"),), None)
    with pytest.raises(InputError, match="a Target says where it is read: leave target_position out, or set its posi"):
        rs.Experiment(model, PROMPT, target=target, target_position=5)
    exp = rs.Experiment(model, PROMPT, target_position=5)
    exp.update(target=target)
    assert exp.trace.target.positions == (3,)
    assert exp.trace.warnings[-1].startswith("Dropped target_position, which no longer fits: a Target says where")
    exp.close()


def test_a_bos_that_the_tokenizer_did_not_declare_is_warned_of():
    model = tiny.bridge("llama")
    model.tokenizer.init_kwargs["bos_token"] = None
    warnings = Reader(model, Settings(prepend_bos=True)).parse(PROMPT, None, None, None).warnings
    assert any("uses to end or pad texts; prepend_bos=False leaves it out" in warning for warning in warnings)
    assert Reader(model, Settings(prepend_bos=False)).parse(PROMPT, None, None, None).warnings == ()


def test_a_prompt_with_a_bos_of_its_own_is_warned_of(read):
    assert any("another was prepended" in warning for warning in read("<|endoftext|>Tom met Anna").warnings)
    assert read("<|endoftext|>Tom met Anna", bos=False).warnings == ()


@pytest.mark.parametrize("prompt", ["When Mary and ", [0, "When", " Mary", " "], "When Mary \n "])
def test_a_prompt_that_ends_in_a_space_is_warned_of_with_the_way_out(read, model, prompt):
    if isinstance(prompt, list):
        prompt = [0, *(model.tokenizer(part, add_special_tokens=False)["input_ids"][0] for part in prompt[1:])]
    (warning,) = read(prompt, (" Mary", " John")).warnings
    assert warning.startswith("A prompt ends in a space, which is a token of its own here, so the target is read after")
    assert warning.endswith("end the prompt before the space, and begin the answers with it.")


@pytest.mark.parametrize("prompt", ["When Mary and", "When Mary and\n", " When Mary"])
def test_other_ends_of_prompts_are_not_warned_of(read, prompt):
    assert read(prompt, (" Mary", " John")).warnings == ()


def test_a_far_likelier_other_spelling_is_warned_of(read, model):
    inputs = read(answers=("Mary", " John"))
    other, given = (model.tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in (" Mary", "Mary"))
    logits = torch.zeros(1, model.cfg.d_vocab)
    assert spelling_warnings(inputs, logits) == []
    logits[0, other] = 4.0
    assert given != other
    assert spelling_warnings(inputs, logits) == [
        "' Mary' is 55 times likelier than 'Mary' here: did you mean that answer?"
    ]
