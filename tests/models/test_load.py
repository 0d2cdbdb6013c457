"""Loading: what is chosen, and one sentence for each way it can fail."""

import functools

import pytest
import torch
from transformers.utils import logging

import residscope as rs
from residscope.models import load, size
from tests import architectures


def test_the_demo_model_loads_by_name_and_by_folder():
    model = rs.load_model("demo")
    assert model.cfg.n_layers == 4
    assert next(model.parameters()).dtype == torch.float32
    by_folder = rs.load_model(load.FOLDER)
    tokens = torch.tensor([[0, 300]])
    assert torch.equal(model(tokens), by_folder(tokens))


def test_a_dtype_can_be_chosen():
    model = rs.load_model("demo", dtype=torch.bfloat16)
    assert next(model.parameters()).dtype == torch.bfloat16
    trace = rs.Experiment(model, "When Mary and John went to the store, John gave a drink to", (" Mary", " John")).trace
    assert trace.facts.dtype == "bfloat16"
    assert all(check.ok for check in trace.sum_check())


@pytest.mark.parametrize("path", ["./nowhere", "~/nowhere-at-all", "/nowhere"])
def test_a_folder_without_a_model_is_refused(path):
    with pytest.raises(ValueError, match=r"there is no model in .*nowhere.*: a model folder holds config\.json"):
        rs.load_model(path)


def test_a_name_that_is_not_here_while_offline_says_what_to_do():
    with pytest.raises(ValueError, match="cannot be reached: give a local folder, or 'demo'"):
        rs.load_model("nobody/no-such-model")


class GatedRepoError(Exception):
    pass


class RepositoryNotFoundError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (GatedRepoError("403"), "is gated: accept its terms"),
        (RepositoryNotFoundError("404"), "there is no model"),
        (MemoryError(), "does not fit in memory: try dtype=torch.bfloat16"),
        (torch.OutOfMemoryError("CUDA out of memory"), "does not fit in memory"),
    ],
)
def test_each_failure_is_one_sentence(monkeypatch, error, sentence):
    def boot(*_args, **_options):
        try:
            raise error
        except Exception as inner:
            raise OSError("could not load") from inner

    monkeypatch.setattr(load.TransformerBridge, "boot_transformers", boot)
    with pytest.raises(ValueError, match=sentence):
        rs.load_model("some/model")


def test_an_unknown_failure_is_not_dressed_up(monkeypatch):
    def boot(*_args, **_options):
        raise KeyError("surprise")

    monkeypatch.setattr(load.TransformerBridge, "boot_transformers", boot)
    with pytest.raises(KeyError, match="surprise"):
        rs.load_model("some/model")


GIGABYTE = 10**9


@pytest.mark.parametrize(
    ("free", "dtype", "line"),
    [
        (6 * GIGABYTE, torch.float32, "1,000,000,000 parameters in float32, 4.00 GB on cpu"),
        (
            5 * GIGABYTE - 1,
            torch.bfloat16,
            "1,000,000,000 parameters in bfloat16, 2.00 GB on cpu: float32 would",
        ),
    ],
)
def test_weights_are_float32_where_they_leave_room_for_a_run(free, dtype, line):
    chosen, said = size.fitting_dtype(GIGABYTE, torch.device("cpu"), lambda _device: free)
    assert chosen == dtype
    assert said.startswith(line)


def test_gpus_without_bfloat16_get_float16(monkeypatch):
    for has, dtype in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda has=has, **_: has)
        assert size.fitting_dtype(GIGABYTE, torch.device("cuda:0"), lambda _device: 0)[0] == dtype


def test_a_type_chosen_by_size_is_said_in_a_line(tmp_path, monkeypatch, capsys):
    architectures.hf_model("Llama").save_pretrained(tmp_path)
    architectures.tokenizer().save_pretrained(tmp_path)
    for free, dtype in ((GIGABYTE, "float32"), (0, "bfloat16")):
        monkeypatch.setattr(size, "free_memory", lambda _device, free=free: free)
        monkeypatch.setattr(load, "fitting_dtype", functools.partial(size.fitting_dtype, free=size.free_memory))
        model = rs.load_model(tmp_path, device="cpu")
        count = sum(parameter.numel() for parameter in model.original_model.parameters())
        assert f"{tmp_path.name} has {count:,} parameters in {dtype}, 0.00 GB on cpu" in capsys.readouterr().out
        assert str(next(model.parameters()).dtype) == f"torch.{dtype}"
    rs.load_model(tmp_path, device="cpu", dtype=torch.float32)
    assert capsys.readouterr().out == ""


def test_the_demo_is_too_small_to_speak_of(capsys):
    rs.load_model("demo")
    said = capsys.readouterr()
    assert (said.out, "Loading" in said.err) == ("", False)
    assert logging.is_progress_bar_enabled(), "others show theirs"
