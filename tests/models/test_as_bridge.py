"""What may be given as a model: Hugging Face models as well, unchanged; and the sentence for what cannot be shown."""

import copy
import importlib

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


def value(model, tokens=(5, 9, 33, 17, 9), right=17, wrong=50):
    """The answers' difference by the model itself."""
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0, -1]
    return float(logits[right] - logits[wrong])


def as_the_model_says(experiment, model):
    return float(experiment.trace.target_value[0]) == pytest.approx(value(model), abs=2e-4)


@pytest.mark.parametrize("name", architectures.NAMES)
def test_every_weight_that_is_trained_is_followed(name):
    model = architectures.hf_model(name)
    experiment = rs.Experiment(model, [5, 9, 33, 17, 9], (17, 50), tokenizer=architectures.tokenizer())
    assert as_the_model_says(experiment, model)
    first = experiment.trace
    with torch.no_grad():
        for weight in model.model.parameters() if hasattr(model, "model") else model.base_model.parameters():
            weight.mul_(1.2)
    experiment.update()
    assert as_the_model_says(experiment, model)
    assert float(experiment.run().target_value[0]) == float(experiment.trace.target_value[0])
    with pytest.raises(rs.StaleWeightsError):
        first.logit_lens()


@pytest.mark.parametrize("name", architectures.NAMES)
def test_what_the_user_runs_meanwhile_is_no_change(name):
    model, tokens = architectures.hf_model(name), [5, 9, 33, 17, 9]
    experiment = rs.Experiment(model, tokens, (17, 50), tokenizer=architectures.tokenizer())
    trace, bridge = experiment.trace, experiment.model
    with torch.no_grad():
        model.generate(torch.tensor([tokens]), max_new_tokens=2, pad_token_id=0)
        bridge.run_with_cache(torch.tensor([tokens]))
    assert trace.sum_check()[0].ok
    experiment.update()
    assert experiment.model is bridge
    assert experiment.trace.weights == trace.weights


def swap(path, part):
    """Return what puts another part into a model, by its path."""

    def change(model):
        *where, name = path.split(".")
        owner = model.get_submodule(".".join(where))
        setattr(owner, name, part)

    return change


def turn(model):
    model.config.final_logit_softcapping = 2.0


def patch(model):
    inner = model.model.layers[1].mlp
    inner.forward = lambda x: 0.5 * type(inner).forward(inner, x)


def replace(model):
    model.lm_head.weight = torch.nn.Parameter(2 * model.lm_head.weight.detach())


CHANGES = {
    "an activation": ("GPT-2", swap("transformer.h.1.mlp.act", torch.nn.ReLU())),
    "a layer's activation": ("Llama", swap("model.layers.1.mlp.act_fn", torch.nn.ReLU())),
    "a logit scale": ("Cohere", swap("logit_scale", 1.0)),
    "a soft cap": ("Gemma-2", turn),
    "a forward": ("Llama", patch),
    "a weight": ("Llama", replace),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_part_that_is_exchanged_is_followed_though_no_weight_changed(change):
    name, do = CHANGES[change]
    model = architectures.hf_model(name)
    experiment = rs.Experiment(model, [5, 9, 33, 17, 9], (17, 50), tokenizer=architectures.tokenizer())
    before = value(model)
    assert as_the_model_says(experiment, model)
    do(model)
    assert abs(value(model) - before) > 0.01
    experiment.update()
    assert as_the_model_says(experiment, model)
    assert all(check.ok for check in [*experiment.trace.sum_check(), *experiment.trace.layer_check()])


def test_a_part_exchanged_in_a_bridge_is_followed_and_old_runs_say_so():
    bridge = architectures.build("Llama")
    experiment = rs.Experiment(bridge, [5, 9, 33, 17, 9], (17, 50))
    first = experiment.trace
    bridge.original_model.model.layers[1].mlp.act_fn = torch.nn.ReLU()
    with pytest.raises(rs.StaleWeightsError):
        first.logit_lens()
    experiment.update()
    with torch.no_grad():
        logits = bridge(torch.tensor([[5, 9, 33, 17, 9]]))[0, -1]
    assert float(experiment.trace.target_value[0]) == pytest.approx(float(logits[17] - logits[50]), abs=2e-4)


class Adapted(torch.nn.Module):
    """A linear map with something added, that shows the map's weight as its own, as peft's layers do."""

    def __init__(self, base):
        super().__init__()
        self.base_layer, self.added = base, torch.nn.Linear(base.weight.shape[0], base.weight.shape[0], bias=False)

    weight = property(lambda self: self.base_layer.weight)
    bias = property(lambda self: self.base_layer.bias)

    def forward(self, x):
        return self.base_layer(x)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("GPT-2", "transformer.h.1.attn.c_attn"),
        ("OPT", "model.decoder.layers.0.self_attn.v_proj"),
        ("Phi", "model.layers.0.self_attn.v_proj"),
        ("Llama", "model.layers.2.mlp.down_proj"),
    ],
)
def test_a_model_with_an_adapter_is_refused_by_its_place(name, path):
    model = architectures.hf_model(name)
    swap(path, Adapted(model.get_submodule(path)))(model)
    with pytest.raises(
        InputError, match=rf"{path} \(Adapted\) adds to a weight that it does not own.*merge_and_unload"
    ):
        rs.Experiment(model, PROMPT, ANSWERS, tokenizer=architectures.tokenizer())


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
    "BERT": (hf.BertForMaskedLM, hf.BertConfig(**STACK), "BertForMaskedLM is an encoder: its tokens see later ones"),
    "T5": (
        hf.T5ForConditionalGeneration,
        hf.T5Config(**SIZES, d_model=32, num_layers=2, num_heads=4, d_ff=48, d_kv=8),
        "T5ForConditionalGeneration is an encoder-decoder model, which reads and writes text with two stacks",
    ),
    "Mamba": (
        hf.MambaForCausalLM,
        hf.MambaConfig(**SIZES, hidden_size=32, num_hidden_layers=2),
        "no layer of MambaForCausalLM has attention heads, as in a state-space model",
    ),
    "ViT": (
        hf.ViTForImageClassification,
        hf.ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48),
        "ViTForImageClassification is not a language model",
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
    with pytest.raises(InputError, match=sentence):
        rs.load_model(model, tokenizer=tokenizer)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"{sentence}.*give a decoder model with attention heads, such as GPT-2 or "):
        rs.load_model(tmp_path)


def test_an_architecture_that_transformer_lens_does_not_know_is_named(tmp_path):
    model = hf.GPTNeoXJapaneseForCausalLM(hf.GPTNeoXJapaneseConfig(**STACK))
    sentence = r"TransformerLens has no bridge for {}: TransformerBridge\.list_supported_models\(\) lists those it has"
    with pytest.raises(InputError, match=sentence.format("GPTNeoXJapaneseForCausalLM")):
        rs.Experiment(model, PROMPT, tokenizer=tiny.tokenizer())
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=sentence.format(f"'{tmp_path}'")):
        rs.load_model(tmp_path)


GPT = hf.GPT2Config(**SIZES, n_layer=2, n_head=4, n_embd=32, n_positions=64)
OPT = {**SIZES, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 48, "pad_token_id": 1}
LATENT = {"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8}
EXPERTS = {"n_routed_experts": 4, "n_group": 2, "topk_group": 1, "num_experts_per_tok": 2, "moe_intermediate_size": 16}


class Int8(torch.nn.Module):
    """A linear layer that keeps its weights in 8 bits, as bitsandbytes does."""

    def __init__(self, linear):
        super().__init__()
        self.scale = linear.weight.detach().abs().amax() / 127
        self.weight = torch.nn.Parameter((linear.weight.detach() / self.scale).to(torch.int8), requires_grad=False)
        self.bias = linear.bias

    def forward(self, x):
        return torch.nn.functional.linear(x, self.weight.to(x) * self.scale, self.bias)


def in_8_bits(name):
    model = architectures.hf_model(name)
    for module in list(model.modules()):
        for key, child in list(module.named_children()):
            if isinstance(child, torch.nn.Linear) and key != "lm_head":
                setattr(module, key, Int8(child))
    return model


def without_values(name):
    model = architectures.hf_model(name)
    return model.to("meta")


def quantised(model):
    return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


HEADLESS = (
    r"{} has no unembedding and cannot predict a next token: give the causal language model, as AutoModelForCausalLM"
)
QUANTISED = "the weights of {} are quantised, .*: load it unquantised, in float32, bfloat16 or float16"
UNREADABLE = {
    "OPT with post-norms": (
        lambda: hf.OPTForCausalLM(hf.OPTConfig(**OPT, word_embed_proj_dim=32, do_layer_norm_before=False)),
        "OPTForCausalLM with do_layer_norm_before=False, like opt-350m, norms .* such as opt-125m or opt-1.3b",
    ),
    "GPT-2 without unembedding": (lambda: hf.GPT2Model(GPT), HEADLESS.format("GPT2Model")),
    "a classifier": (
        lambda: hf.GPT2ForSequenceClassification(GPT),
        HEADLESS.format("GPT2ForSequenceClassification"),
    ),
    "Falcon-40B": (
        lambda: hf.FalconForCausalLM(
            hf.FalconConfig(**STACK, num_kv_heads=2, new_decoder_architecture=True, alibi=False)
        ),
        "does not read the heads of a FalconForCausalLM with new_decoder_architecture=True.* such as falcon-7b",
    ),
    "DeepSeek": (
        lambda: hf.DeepseekV3ForCausalLM(
            hf.DeepseekV3Config(**STACK, **LATENT, **EXPERTS, num_key_value_heads=4, first_k_dense_replace=1)
        ),
        r"DeepseekV3ForCausalLM share compressed values \(multi-head latent attention\)",
    ),
    "meta": (lambda: without_values("Llama"), r"LlamaForCausalLM is on the meta device, without values: load its"),
    "fused meta": (lambda: without_values("GPT-2"), r"GPT2LMHeadModel is on the meta device, without values: load its"),
    "quantize_dynamic": (
        lambda: quantised(architectures.hf_model("Llama")),
        QUANTISED.format("LlamaForCausalLM"),
    ),
    **{
        f"{name} in 8 bits": (lambda name=name: in_8_bits(name), QUANTISED.format(f"{name}ForCausalLM"))
        for name in ("Llama", "OPT")
    },
}


@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated", "ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("name", UNREADABLE)
def test_models_whose_parts_cannot_be_read_are_refused_before_anything_runs(name):
    made, sentence = UNREADABLE[name]
    model = made().eval()
    with pytest.raises(InputError, match=sentence) as caught:
        rs.Experiment(model, PROMPT, tokenizer=tiny.tokenizer())
    assert caught.value.field == "model"


@pytest.mark.parametrize("name", ["Llama in 8 bits", "meta"])
def test_so_are_bridges_of_them(name):
    made, sentence = UNREADABLE[name]
    model = made()
    bridge = build_bridge_from_module(
        model, "LlamaForCausalLM", hf_config=model.config, tokenizer=tiny.tokenizer(), model_name=name
    )
    with pytest.raises(InputError, match=sentence):
        rs.Experiment(bridge, PROMPT)


def test_what_transformer_lens_says_of_a_model_is_told_in_one_sentence(monkeypatch):
    def build(*_args, **_options):
        raise RuntimeError("split_with_sizes\nexpects 64")

    module = importlib.import_module("residscope.models.as_bridge")
    monkeypatch.setattr(module, "build_bridge_from_module", build)
    with pytest.raises(
        InputError, match='cannot show LlamaForCausalLM: TransformerLens says "split_with_sizes expects 64"; '
    ) as caught:
        rs.Experiment(architectures.hf_model("Llama"), PROMPT, tokenizer=tiny.tokenizer())
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, RuntimeError)
    monkeypatch.setattr(module, "build_bridge_from_module", lambda *_a, **_o: bytes(2**62))
    with pytest.raises(MemoryError):
        rs.Experiment(architectures.hf_model("Llama"), PROMPT, tokenizer=tiny.tokenizer())


def test_head_scores_take_what_an_experiment_takes():
    model, tokenizer = architectures.hf_model("Llama"), architectures.tokenizer()
    scores = rs.head_scores(model, "previous token", tokenizer=tokenizer)
    torch.testing.assert_close(scores, rs.head_scores(architectures.build("Llama"), "previous token"))
    # Random ids need no tokenizer.
    bridge = architectures.build("Llama")
    bridge.tokenizer = None
    without = rs.head_scores(model, "previous token")
    assert without.shape == scores.shape
    torch.testing.assert_close(without, rs.head_scores(bridge, "previous token"))


class PeftModel:
    pass


class HookedTransformer:
    pass


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (PeftModel(), r"a PEFT model's adapter is not in its weights: merge it .*merge_and_unload\(\)"),
        (HookedTransformer(), "a HookedTransformer is not supported: load it as a bridge with"),
        ("gpt2", r"a model is a TransformerBridge, as rs.load_model .* with tokenizer=..., not str"),
    ],
)
def test_what_is_no_model_is_told_what_would_be(model, sentence):
    with pytest.raises(InputError, match=sentence):
        rs.Experiment(model, PROMPT)


def test_a_tokenizer_is_asked_for_where_the_model_has_none_and_only_there():
    model, tokenizer = architectures.hf_model("Llama"), architectures.tokenizer()
    for one in (model, rs.load_model(model)):
        with pytest.raises(InputError, match=r"this model has no tokenizer, so .* or tokenizer=\.\.\., or vocabulary="):
            rs.Experiment(one, PROMPT)
    for wrong in ("gpt2", 3):
        with pytest.raises(InputError, match=r"a tokenizer comes from transformers, as from .*, not ('gpt2'|3)$"):
            rs.Experiment(model, PROMPT, tokenizer=wrong)
    with pytest.raises(InputError, match="a bridge has its own tokenizer: leave tokenizer= out"):
        rs.Experiment(architectures.build("Llama"), PROMPT, tokenizer=tokenizer)
    with pytest.raises(InputError, match="comes with its tokenizer: leave tokenizer= out"):
        rs.load_model("demo", tokenizer=tokenizer)


def test_a_hugging_face_models_own_cache_is_read_as_any_other():
    model, tokenizer = architectures.hf_model("Llama"), architectures.tokenizer()
    bridge = architectures.build("Llama")
    tokens = torch.tensor([[0, 300, 301, 302]])
    with torch.no_grad():
        _, cache = bridge.run_with_cache(tokens)
    exp = rs.Experiment.from_cache(model, cache, tokens, tokenizer=tokenizer)
    assert exp.trace.cache_mismatch == ""


def test_a_model_in_training_mode_is_shown_in_evaluation_mode_and_said_to_be():
    model = architectures.build("GPT-2")
    quiet = rs.Experiment(model, PROMPT, ANSWERS).trace
    assert quiet.warnings == []
    model.train()
    trace = rs.Experiment(model, PROMPT, ANSWERS).trace
    assert trace.warnings == [
        "This model is in training mode, but is shown in evaluation mode, without dropout: after model.eval() your "
        "own runs agree with what is shown."
    ]
    assert torch.equal(trace.target_value, quiet.target_value)
    assert model.training


def test_a_hugging_face_model_that_was_in_training_mode_and_is_no_more_is_not_warned_of():
    model, tokenizer = architectures.hf_model("Llama"), architectures.tokenizer()
    said = []
    for mode in (True, False, True):
        model.train(mode)
        said.append(rs.Experiment(model, PROMPT, ANSWERS, tokenizer=tokenizer).trace.warnings)
    assert ["training mode" in " ".join(warnings) for warnings in said] == [True, False, True]
