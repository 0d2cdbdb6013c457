"""The tokenizer that is used is the user's own, as it is now, and stays as it was."""

import socket

import huggingface_hub
import pytest
import torch
from tokenizers import normalizers
from tokenizers.models import WordLevel

import residscope as rs
from residscope.models.tokenizer_copy import TokenizerCopy
from tests import tiny, vocabularies
from tests.vocabularies import PROMPT

FAMILY = "byte-level BPE"
CHAT = [{"role": "user", "content": "When Mary went"}]


def no_network(*_args, **_options):
    raise AssertionError("a request left the machine")


@pytest.fixture
def offline(monkeypatch):
    """No socket opens, and nothing tells the hub's client so."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)


def named(tokenizer, name="openai-community/gpt2"):
    """Let a tokenizer say that it was loaded by a name."""
    tokenizer.name_or_path = tokenizer.init_kwargs["name_or_path"] = name
    return tokenizer


def model_of(tokenizer, more=0):
    model = vocabularies.model(len(tokenizer) + more)
    model.config.name_or_path = model.name_or_path = "openai-community/gpt2"
    return model


def test_no_request_leaves_the_machine_and_no_file_is_read(offline, monkeypatch):
    tokenizer = named(vocabularies.tokenizer(FAMILY))
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", no_network)
    model = model_of(tokenizer)
    trace = rs.Experiment(model, PROMPT, (" Mary", " John"), tokenizer=tokenizer).trace
    assert trace.inputs.tokens[0][1:] == tuple(tokenizer(PROMPT, add_special_tokens=False)["input_ids"])
    bridge = rs.load_model(model, tokenizer=tokenizer)
    assert rs.Experiment(bridge, PROMPT).trace.inputs.tokens == trace.inputs.tokens
    assert rs.head_scores(model, "induction", tokenizer=tokenizer).shape == (2, 4)


def add_special(tokenizer):
    tokenizer.add_special_tokens({"additional_special_tokens": ["<a>", "<b>"]})


def add_word(tokenizer):
    tokenizer.add_tokens(["Mary John"])


def lower(tokenizer):
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()


def template(tokenizer):
    tokenizer.chat_template = "{{ bos_token }}{% for m in messages %}When {{ m['content'] }} and{% endfor %}"


def other_bos(tokenizer):
    tokenizer.bos_token = "</s>"


def other_words(tokenizer):
    tokenizer.backend_tokenizer.model = WordLevel({"<unk>": 0, "<s>": 1, "</s>": 2, "Mary": 3}, unk_token="<unk>")


CHANGES = [add_special, add_word, lower, template, other_bos, other_words]
TEXT = "<a> When Mary John went"


def own_tokens(tokenizer):
    """What transformers itself makes of a text, and of a chat where there is a template."""
    ids = [tokenizer.bos_token_id, *tokenizer(TEXT, add_special_tokens=False)["input_ids"]]
    if not tokenizer.chat_template:
        return ids, None
    return ids, tokenizer.apply_chat_template(CHAT, add_generation_prompt=True)["input_ids"]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["model", "bridge"])
def test_a_change_in_it_is_followed_by_the_next_run(offline, kind, change):
    tokenizer = named(vocabularies.tokenizer(FAMILY))
    given = {"tokenizer": tokenizer}
    model = model_of(tokenizer, more=4)
    if kind == "bridge":
        model = rs.load_model(model, tokenizer=tokenizer)
        tokenizer, given = model.tokenizer, {}
    exp = rs.Experiment(model, TEXT, prepend_bos=True, **given)
    before, first, _ = own_tokens(tokenizer), exp.trace, exp.model
    assert list(first.inputs.tokens[0]) == before[0]
    change(tokenizer)
    ids, chat = own_tokens(tokenizer)
    assert (ids, chat) != before
    texts = [first.decode(token) for token in first.inputs.tokens[0]]
    exp.update()
    assert list(exp.trace.inputs.tokens[0]) == ids
    if chat is not None:
        assert list(exp.run(prompts=CHAT, prepend_bos=None).inputs.tokens[0]) == chat
    assert [first.decode(token) for token in first.inputs.tokens[0]] == texts, "an older run says what it said"
    exp.close()


def test_the_users_own_object_is_left_as_it_was():
    tokenizer = vocabularies.tokenizer(FAMILY)
    tokenizer.backend_tokenizer.enable_truncation(5)
    written, special = tokenizer.backend_tokenizer.to_str(), dict(tokenizer.special_tokens_map)
    model = model_of(tokenizer)
    exp = rs.Experiment(model, [PROMPT, "When"], tokenizer=tokenizer)
    assert len(exp.trace.inputs.tokens[0]) > 5
    exp.model.to_tokens([PROMPT, "When"])
    assert tokenizer.backend_tokenizer.to_str() == written
    assert tokenizer.special_tokens_map == special
    assert tokenizer.pad_token is None, "the bridge's copy has one, for rows of different lengths"
    exp.close()


def test_one_that_names_no_special_token_is_taken():
    plain = vocabularies.tokenizer("WordLevel")
    plain.bos_token = plain.eos_token = plain.pad_token = None
    exp = rs.Experiment(vocabularies.model(len(plain)), "When Mary went", tokenizer=plain)
    assert exp.trace.inputs.tokens == (tuple(plain("When Mary went", add_special_tokens=False)["input_ids"]),)
    with pytest.raises(rs.InputError, match="this model has no BOS token to prepend: use prepend_bos=False"):
        exp.update(prepend_bos=True)
    exp.close()


def test_a_copy_is_made_only_of_what_has_changed():
    copy, tokenizer = TokenizerCopy(), tiny.tokenizer()
    first = copy.of(tokenizer)
    tokenizer([PROMPT, "a"], padding=True, truncation=True, max_length=4)
    assert copy.of(tokenizer) is first
    assert first is not tokenizer
    assert copy.of(None) is None


def test_its_answers_are_the_models_own():
    tokenizer = vocabularies.tokenizer(FAMILY)
    add_special(tokenizer)
    model = model_of(tokenizer)
    ids = [tokenizer.bos_token_id, *tokenizer("<a> Mary", add_special_tokens=False)["input_ids"]]
    a, b = tokenizer.convert_tokens_to_ids(["<a>", "<b>"])
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, -1]
    trace = rs.Experiment(model, "<a> Mary", ("<a>", "<b>"), tokenizer=tokenizer).trace
    assert float(trace.target_value) == pytest.approx(float(logits[a] - logits[b]), abs=1e-4)
