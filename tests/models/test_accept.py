"""What may be given as a model: Hugging Face models as well, unchanged; and the sentence for what cannot be shown."""

import copy

import pytest
import torch
import transformers as hf
from transformer_lens.model_bridge.sources import build_bridge_from_module

import residscope as rs
from residscope import InputError
from tests import architectures, tiny

PROMPT = "When Mary and John went to the store, John gave a drink to"
ANSWERS = (" Mary", " John")


def state_of(model):
    weights = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    return weights, [(name, type(module)) for name, module in model.named_modules()], model.config.to_dict()


def assert_unchanged(model, before):
    weights, modules, config = before
    now = state_of(model)
    assert now[1:] == (modules, config)
    assert now[0].keys() == weights.keys()
    assert all(torch.equal(now[0][key], weights[key]) for key in weights)


@pytest.mark.parametrize("name", ["GPT-2", "Llama", "OPT", "Gemma-3", "gpt-oss"])
def test_an_experiment_takes_a_hugging_face_model_and_leaves_it_as_it_was(name):
    attention = "eager" if name == "gpt-oss" else "sdpa"
    model = architectures.hf_model(name, attention=attention)
    before = state_of(model)
    exp = rs.Experiment(model, PROMPT, ANSWERS, tokenizer=architectures.tokenizer())
    trace = exp.trace
    with torch.no_grad():
        logits = model(trace.tokens).logits[0, -1]
    torch.testing.assert_close(trace.logits[0], logits, atol=2e-5, rtol=1e-4)
    other = rs.Experiment(architectures.build(name), PROMPT, ANSWERS).trace
    torch.testing.assert_close(trace.head_attribution(), other.head_attribution(), atol=2e-5, rtol=1e-4)
    assert_unchanged(model, before)
    assert model.config._attn_implementation == attention


def test_its_weights_are_shared_and_its_hooks_are_not():
    model, tokenizer = architectures.hf_model("Llama"), architectures.tokenizer()
    model.model.layers[0].register_forward_hook(lambda *_: 1 / 0)
    first = rs.Experiment(model, PROMPT, ANSWERS, tokenizer=tokenizer)
    second = rs.Experiment(model, PROMPT, ANSWERS, tokenizer=tokenizer)
    assert first.model is second.model
    before = float(first.trace.target_value[0])
    with torch.no_grad():
        model.lm_head.weight.mul_(2)
    assert float(first.run().target_value[0]) == pytest.approx(2 * before, rel=1e-5)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach() * 2)
    third = rs.Experiment(model, PROMPT, ANSWERS, tokenizer=tokenizer)
    assert float(third.trace.target_value[0]) == pytest.approx(4 * before, rel=1e-5)


@pytest.mark.parametrize("name", ["Llama", "gpt-oss"])
def test_a_loaded_one_has_weights_of_its_own_that_may_be_processed(name):
    model = architectures.hf_model(name)
    before = state_of(model)
    bridge = rs.load_model(model, tokenizer=architectures.tokenizer())
    bridge.enable_compatibility_mode()
    bridge(torch.tensor([[0, 300, 301]]))
    assert_unchanged(model, before)
    half = rs.load_model(model, tokenizer=architectures.tokenizer(), dtype=torch.bfloat16)
    assert next(half.parameters()).dtype == torch.bfloat16
    assert_unchanged(model, before)


SIZES = {"vocab_size": len(tiny.tokenizer())}
STACK = {**SIZES, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
OTHERS = {
    "BERT": (hf.BertForMaskedLM, hf.BertConfig(**STACK), "BertForMaskedLM is an encoder: its tokens see what follows"),
    "T5": (
        hf.T5ForConditionalGeneration,
        hf.T5Config(**SIZES, d_model=32, num_layers=2, num_heads=4, d_ff=48, d_kv=8),
        "T5ForConditionalGeneration is an encoder-decoder model, whose text is read and written by two stacks",
    ),
    "Mamba": (
        hf.MambaForCausalLM,
        hf.MambaConfig(**SIZES, hidden_size=32, num_hidden_layers=2),
        "no layer of MambaForCausalLM has attention heads, as in a state-space model",
    ),
    "ViT": (
        hf.ViTForImageClassification,
        hf.ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48),
        "ViTForImageClassification is no language model",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_models_of_other_kinds_are_refused_by_name(name, tmp_path):
    kind, config, sentence = OTHERS[name]
    model, tokenizer = kind(config).eval(), copy.deepcopy(tiny.tokenizer())
    bridge = build_bridge_from_module(
        copy.deepcopy(model), kind.__name__, hf_config=config, tokenizer=tokenizer, model_name=name
    )
    with pytest.raises(InputError, match=sentence):
        rs.Experiment(bridge, PROMPT)
    with pytest.raises(InputError, match=sentence):
        rs.Experiment(model, PROMPT, tokenizer=tokenizer)
    with pytest.raises(ValueError, match=sentence):
        rs.load_model(model, tokenizer=tokenizer)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"{sentence}.*give a decoder model with attention heads, such as GPT-2 or "):
        rs.load_model(tmp_path)


def test_an_architecture_that_transformer_lens_does_not_know_is_named(tmp_path):
    model = hf.GPTNeoXJapaneseForCausalLM(hf.GPTNeoXJapaneseConfig(**STACK))
    sentence = r"TransformerLens has no bridge for {}: TransformerBridge\.list_supported_models\(\) names those it has"
    with pytest.raises(InputError, match=sentence.format("GPTNeoXJapaneseForCausalLM")):
        rs.Experiment(model, PROMPT, tokenizer=tiny.tokenizer())
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=sentence.format(f"'{tmp_path}'")):
        rs.load_model(tmp_path)


class PeftModel:
    pass


class HookedTransformer:
    pass


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (PeftModel(), r"a PEFT model's adapters are not in its weights: give model.merge_and_unload\(\)"),
        (HookedTransformer(), "a HookedTransformer is not supported: load it as a bridge with"),
        ("gpt2", r"a model is a TransformerBridge, as rs.load_model .* with tokenizer=..., not str"),
    ],
)
def test_what_is_no_model_is_told_what_would_be(model, sentence):
    with pytest.raises(InputError, match=sentence):
        rs.Experiment(model, PROMPT)


def test_a_tokenizer_is_asked_for_where_the_model_has_none_and_only_there():
    model, tokenizer = architectures.hf_model("Llama"), architectures.tokenizer()
    with pytest.raises(InputError, match=r"comes without its tokenizer: give it as tokenizer=\.\.\."):
        rs.Experiment(model, PROMPT)
    with pytest.raises(ValueError, match=r"comes without its tokenizer: give it as tokenizer=\.\.\."):
        rs.load_model(model)
    with pytest.raises(InputError, match="a bridge has its tokenizer: leave tokenizer= out"):
        rs.Experiment(architectures.build("Llama"), PROMPT, tokenizer=tokenizer)
    with pytest.raises(ValueError, match="comes with its tokenizer: leave tokenizer= out"):
        rs.load_model("demo", tokenizer=tokenizer)


def test_a_hugging_face_models_own_cache_is_read_as_any_other():
    model, tokenizer = architectures.hf_model("Llama"), architectures.tokenizer()
    bridge = architectures.build("Llama")
    tokens = torch.tensor([[0, 300, 301, 302]])
    with torch.no_grad():
        _, cache = bridge.run_with_cache(tokens)
    exp = rs.Experiment.from_cache(model, cache, tokens, tokenizer=tokenizer)
    assert exp.trace.as_cached == ""


def test_a_model_in_training_mode_is_shown_in_evaluation_mode_and_said_to_be():
    model = architectures.build("GPT-2")
    quiet = rs.Experiment(model, PROMPT, ANSWERS).trace
    assert quiet.warnings == []
    model.train()
    trace = rs.Experiment(model, PROMPT, ANSWERS).trace
    assert trace.warnings == [
        "This model is in training mode; it is shown as in evaluation mode, without dropout: model.eval() makes your "
        "own runs the same."
    ]
    assert torch.equal(trace.target_value, quiet.target_value)
    assert model.training
