"""Chat messages, texts in a template, and the reply's beginning: the tokens are the template's own, and told apart."""

import copy

import numpy as np
import pytest

import residscope as rs
from residscope import InputError
from residscope.inputs.encoding import Settings
from residscope.inputs.reader import Reader
from tests import tiny

TEMPLATE = (
    "{% if not messages[0].role == 'system' %}{{ bos_token }}s: {{ brief | default('a drink') }}\n{% endif %}"
    "{% for message in messages %}{{ bos_token }}{{ message.role[0] }}: {{ message.content | trim }}\n{% endfor %}"
    "{% if add_generation_prompt %}{{ bos_token }}a:{% endif %}"
)
ASKED = [{"role": "user", "content": "Mary went to"}]
LONG = [
    {"role": "system", "content": "the store"},
    *ASKED,
    {"role": "assistant", "content": "the store"},
    {"role": "user", "content": "  John gave "},
]


def chat_model(template=TEMPLATE):
    model = tiny.bridge("llama")
    model.tokenizer = copy.deepcopy(model.tokenizer)
    model.tokenizer.chat_template = template
    return model


@pytest.fixture(scope="module")
def model():
    return chat_model()


def read(model, prompts, **settings):
    return Reader(model, Settings(**settings)).parse(prompts, None, None, None)


def template_text(model, prompts, **settings):
    """Return the pieces of the first prompt that are said to be the template's."""
    inputs = read(model, prompts, **settings)
    return [model.tokenizer.decode(list(inputs.tokens[0][start:end])) for start, end in inputs.template[0]]


def rendered(model, messages, **arguments):
    return model.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **arguments)


@pytest.mark.parametrize("messages", [ASKED, LONG], ids=["one message", "a conversation"])
def test_messages_are_the_tokens_that_the_template_writes_and_no_bos_is_added(model, messages):
    inputs = read(model, messages)
    text = rendered(model, messages)
    assert list(inputs.tokens[0]) == model.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert inputs.bos is None
    assert (inputs.form, inputs.bos_policy) == ("messages", "chat template")


def test_what_the_template_added_is_told_from_what_the_messages_say(model):
    assert template_text(model, ASKED) == [
        "<|endoftext|>s: a drink\n<|endoftext|>u:",
        "\n<|endoftext|>a:",
    ]
    # The template trims the last message, as many do.
    assert template_text(model, LONG)[-2:] == ["\n<|endoftext|>u:", "\n<|endoftext|>a:"]
    assert len(template_text(model, LONG)) == 5


def test_a_text_is_put_in_as_the_users_message_only_where_that_is_asked(model):
    text = ASKED[0]["content"]
    assert read(model, text, chat_template=True).tokens == read(model, ASKED).tokens
    assert read(model, text).tokens == read(model, text, chat_template=False).tokens
    assert read(model, text).bos == 0
    assert read(model, text, chat_template=True).prompts == (text,)


def test_a_dict_holds_arguments_of_the_template(model):
    inputs = read(model, ASKED, chat_template={"brief": "the store"})
    text = rendered(model, ASKED, brief="the store")
    assert list(inputs.tokens[0]) == model.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert read(model, ASKED[0]["content"], chat_template={}).tokens == read(model, ASKED).tokens


def test_the_reply_begins_as_prefill_says_and_that_is_not_the_templates(model):
    inputs = read(model, ASKED, prefill=" the store")
    text = rendered(model, ASKED) + " the store"
    assert list(inputs.tokens[0]) == model.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert inputs.template == read(model, ASKED).template
    several = read(model, [ASKED, LONG], prefill=[" Mary", " John"])
    assert [model.tokenizer.decode(row[-1:]) for row in several.tokens] == [" Mary", " John"]


def test_a_reply_that_begins_with_a_space_at_its_end_is_warned_of_and_a_templates_own_space_is_not(model):
    (warning,) = Reader(model, Settings(prefill="The store is ")).parse(ASKED, None, None, None).warnings
    assert warning.startswith("A prompt ends in a space, which is a token of its own here")
    assert Reader(model, Settings(prefill="The store is")).parse(ASKED, None, None, None).warnings == ()
    spaced = chat_model(TEMPLATE + "{{ ' ' }}")
    assert Reader(spaced).parse(ASKED, None, None, None).warnings == ()


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
        "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",
        "{% if messages[0].content | length > 9 %}Long: {% endif %}{{ messages[0].content }}",
        "{% if messages[0].content | length < 9 %}{{ raise_exception('short') }}{% endif %}{{ messages[0].content }}",
    ],
    ids=["changes", "repeats", "looks at", "refuses others"],
)
def test_where_the_templates_words_cannot_be_told_from_the_users_none_are_said_to_be_its(template):
    model = chat_model(template)
    inputs = read(model, ASKED)
    assert inputs.template == ((),)
    assert list(inputs.tokens[0]) == model.tokenizer(rendered(model, ASKED), add_special_tokens=False)["input_ids"]


def test_a_chat_model_whose_template_is_forgotten_is_warned_of(model):
    (warning,) = read(model, "Mary met John").warnings
    assert warning == (
        "This model has a chat template, and the prompt does not use it: chat_template=True applies it, "
        "chat_template=False accepts the prompt as it is."
    )
    assert read(model, "Mary met John", chat_template=False).warnings == ()
    assert read(model, "Mary met John", chat_template=True).warnings == ()
    assert read(model, ASKED).warnings == ()
    assert read(model, read(model, ASKED).tokens[0]).warnings == ()
    # Whoever writes the template's own marks did not forget it.
    assert read(model, rendered(model, ASKED), prepend_bos=False).warnings == ()
    assert read(tiny.bridge("llama"), "Mary met John").warnings == ()


REFUSED = [
    ({"prompts": []}, "prompts", "prompts is empty"),
    ({"prompts": [*ASKED, "Mary"]}, "prompts", "a chat message in prompts is a dict with a role and a content, both "),
    ({"prompts": [{"role": "user"}]}, "prompts", "a chat message in prompts is a dict with a role and a content"),
    ({"prompts": [{"role": "user", "content": [1]}]}, "prompts", "both text, not {'content': \\[1\\], 'role': 'user'}"),
    ({"prompts": LONG[:3]}, "prompts", "is the assistant's: end with the user's, and begin the reply with prefill="),
    ({"prompts": [ASKED, "Mary"]}, "prompts", "prompts mixes chat messages and texts: give all in one form"),
    ({"prompts": ASKED, "chat_template": False}, "chat_template", "need the model's chat template: use chat_template="),
    ({"prompts": "Mary", "chat_template": "yes"}, "chat_template", "True, False or a dict of its arguments, not 'yes'"),
    ({"prompts": [1, 2], "chat_template": True}, "chat_template", "token ids are taken as they are: leave chat_temp"),
    (
        {"prompts": ASKED, "prepend_bos": True},
        "prepend_bos",
        "the chat template decides whether there is a BOS: leave pr",
    ),
    ({"prompts": "Mary", "prefill": "So"}, "prefill", "prefill begins a chat's reply: give chat messages or chat_tem"),
    (
        {"prompts": ASKED, "prefill": ["So", "No"]},
        "prefill",
        r"a text, or a list with one text per prompt, not \['So', 'No'",
    ),
    ({"prompts": ASKED, "prefill": 3}, "prefill", "prefill is a text, or a list with one text per prompt, not 3"),
]


@pytest.mark.parametrize(("given", "field", "sentence"), REFUSED)
def test_what_cannot_be_used_is_refused_in_one_sentence(model, given, field, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        read(model, **given)
    assert refused.value.field == field


def test_a_model_without_a_template_and_a_template_that_refuses_say_so():
    with pytest.raises(InputError, match="this model has no chat template: give texts, with chat_template=False"):
        read(tiny.bridge("llama"), ASKED)
    strict = chat_model("{{ raise_exception('no system here') }}")
    with pytest.raises(InputError, match=r"the chat template does not take .*Mary went to.*: 'no system here'"):
        read(strict, ASKED)


def test_a_template_without_a_bos_makes_a_corrupted_prompt_of_the_same_length_comparable(model):
    john = [{"role": "user", "content": "John went to"}]
    inputs = Reader(model).parse(ASKED, None, john, None)
    assert inputs.corrupted == ("John went to",)
    apart = np.array(inputs.tokens) != np.array(inputs.corrupted_tokens)
    assert apart.sum() == 1


def test_an_edit_in_the_strip_changes_what_the_user_said_last(model):
    exp = rs.Experiment(model, [LONG], prefill=" He")
    strip = rs.TokenStrip(exp)
    before = exp.trace.inputs
    assert before.prompts == ("  John gave ",)
    strip._edit = {"id": 1, "prompts": ["Tom went"]}
    assert strip._refused is None
    asked = [*LONG[:3], {"role": "user", "content": "Tom went"}]
    assert exp.question.prompts == [asked]
    text = rendered(model, asked) + " He"
    assert list(exp.trace.inputs.tokens[0]) == model.tokenizer(text, add_special_tokens=False)["input_ids"]
    strip._edit = {"id": 2, "prompts": ["Tom went", "Anna went"]}
    assert [row[-1]["content"] for row in exp.question.prompts] == ["Tom went", "Anna went"]
    exp.close()


def test_the_reply_is_edited_in_the_strip_beside_what_the_user_said(model):
    exp = rs.Experiment(model, [ASKED, LONG], prefill=" the store of Mary")
    strip = rs.TokenStrip(exp)

    def tokens(*replies):
        texts = [rendered(model, asked) + reply for asked, reply in zip(exp.question.prompts, replies, strict=True)]
        return [tuple(model.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]

    assert strip._payload(exp.trace, None)[1]["inputs"]["prefills"] == [" the store of Mary"] * 2
    strip.set_state({"_edit": {"id": 1, "prompts": ["John went to", "Anna gave"], "prefill": [" John", " Mary"]}})
    assert strip._refused is None
    assert exp.question.prefill == [" John", " Mary"]
    assert list(exp.trace.inputs.tokens) == tokens(" John", " Mary")
    strip.set_state({"_edit": {"id": 2, "prefill": [" Anna", " Anna"]}})
    assert exp.question.prefill == " Anna", "it is one for all again"
    strip.set_state({"_edit": {"id": 3, "prefill": None}})
    assert list(exp.trace.inputs.tokens) == tokens("", "")
    assert strip._payload(exp.trace, None)[1]["inputs"]["prefills"] == ["", ""]
    run = exp.trace
    for number, (prefill, words) in enumerate(
        [
            ([" a", " b", " c"], "prefill is a text, or a list with one text per prompt, not [' a', ' b', ' c']"),
            ([1, 2], "edited prefills are one text per prompt"),
            ("So", "edited prefills are one text per prompt"),
            ([], "edited prefills are one text per prompt"),
        ],
        4,
    ):
        strip.set_state({"_edit": {"id": number, "prefill": prefill}})
        assert strip._refused == {"id": number, "field": "prefill", "message": words}
    exp.update(prompts=["Mary went", "Anna gave"])
    assert strip._payload(exp.trace, None)[1]["inputs"]["prefills"] is None
    strip.set_state({"_edit": {"id": 8, "prefill": [" a", " b"]}})
    assert strip._refused["message"].startswith("prefill begins a chat's reply: give chat messages")
    assert exp.trace.number == run.number + 1
    exp.close()


def test_the_scene_says_whose_tokens_they_are_and_who_decided_about_the_bos(model):
    exp = rs.Experiment(model, ASKED)
    exp.wait()
    run = exp.status._header
    assert run["rows"][0]["template"] == [list(span) for span in exp.inputs.template[0]] != []
    assert run["model"]["bos"] == "no BOS added (chat template)"
    for settings, said in (
        ({"prompts": "Mary"}, "BOS <|endoftext|> (the model's habit)"),
        ({"prompts": "Mary", "prepend_bos": False}, "no BOS added (prepend_bos=False)"),
        ({"prompts": [1, 2], "prepend_bos": None}, "no BOS added (token ids as given)"),
    ):
        exp.update(**settings)
        exp.wait()
        assert exp.status._header["model"]["bos"] == said
    exp.close()


def test_prefills_that_no_longer_fit_are_set_aside_and_named(model):
    exp = rs.Experiment(model, [ASKED, LONG], prefill=[" Mary", " John"])
    exp.prompts = [ASKED]
    assert exp.question.prefill is None
    assert any("Dropped prefill, which no longer fits: prefill" in warning for warning in exp.warnings)
    exp.close()
