"""Loading: what is chosen, and one sentence for each way it can fail."""

import pytest
import torch

import residscope as rs
from residscope.models import load


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
