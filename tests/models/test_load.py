"""Loading: what is chosen, and one sentence for each way it can fail."""

import functools
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
import torch
from huggingface_hub import constants
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


UNREACHED = "{} is not on this machine and the Hugging Face hub cannot be reached: give a local folder, or 'demo', or "
UNREACHED += "try again with a network{} ({})"


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("gpt2-smal", "; similar names are 'gpt2'"),
        ("gpt2-small", ""),
        ("pythia-70", "; similar names are 'EleutherAI/pythia-70m', 'EleutherAI/pythia-70m-v0'"),
        ("SmolLM2-135M-Instruct", "; similar names are 'smollm2-135m-instruct'"),
    ],
)
def test_a_name_while_offline_is_answered_with_those_like_it(name, like):
    with pytest.raises(rs.InputError) as caught:
        rs.load_model(name)
    assert str(caught.value) == UNREACHED.format(repr(name), like, "HF_HUB_OFFLINE is set")


class Hub(BaseHTTPRequestHandler):
    """A hub that gives one answer and keeps what it was asked for."""

    answer: tuple[int, dict[str, str], bytes]
    asked: ClassVar[list[str]]

    def do_GET(self):
        self.question.append(self.path)
        code, headers, content = self.answer
        self.send_response(code)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch):
    """Let the library ask a hub on this machine; `hub.stop()` leaves a port where nobody answers."""
    Hub.question = []
    server = HTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")

    def stop():
        server.shutdown()
        server.server_close()
        thread.join()

    Hub.stop = staticmethod(stop)
    yield Hub
    stop()


@pytest.mark.parametrize("name", ["gpt2-smal", "gpt2"])
def test_a_hub_that_cannot_be_reached_is_tried_once_and_quietly(hub, name, capfd, caplog):
    hub.stop()
    with pytest.raises(rs.InputError, match="Connection refused") as caught:
        rs.load_model(name)
    like = "" if name == "gpt2" else "; similar names are 'gpt2'"
    assert str(caught.value).startswith(UNREACHED.format(repr(name), like, "")[:-1])
    assert (*capfd.readouterr(), caplog.records) == ("", "", [])


def test_a_name_that_the_hub_does_not_know_is_asked_for_once(hub, capfd, caplog):
    hub.answer = 401, {"X-Error-Code": "RepoNotFound"}, b"{}"
    with pytest.raises(rs.InputError) as caught:
        rs.load_model("gpt2-smal")
    assert str(caught.value) == (
        "there is no model 'gpt2-smal': give 'demo', a local folder, or a name from the Hugging Face hub, "
        "logged in if it is private; similar names are 'gpt2'"
    )
    assert hub.question == ["/api/models/gpt2-smal"]
    assert (*capfd.readouterr(), caplog.records) == ("", "", [])


@pytest.mark.parametrize(
    "answer", [(200, {}, b'{"id": "some/model"}'), (403, {}, b"{}")], ids=["there", "another failure"]
)
def test_what_the_hub_knows_or_fails_to_say_is_left_to_the_load(hub, answer, monkeypatch):
    def boot(*_args, **_options):
        raise KeyError("surprise")

    hub.answer = answer
    monkeypatch.setattr(load, "_config_of", lambda _name: None)
    monkeypatch.setattr(load.TransformerBridge, "boot_transformers", boot)
    with pytest.raises(KeyError, match="surprise"):
        rs.load_model("some/model")
    assert hub.question == ["/api/models/some/model"]


def test_a_model_that_is_on_this_machine_is_not_asked_for(hub, tmp_path, monkeypatch):
    def boot(name, **_options):
        raise KeyError(name)

    snapshot = tmp_path / "models--openai--gpt" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(load, "_config_of", lambda _name: None)
    monkeypatch.setattr(load.TransformerBridge, "boot_transformers", boot)
    with pytest.raises(KeyError, match="openai/gpt"):
        rs.load_model("openai/gpt")
    assert hub.question == []


@pytest.fixture
def on_the_hub(monkeypatch):
    """Let the hub know every name."""
    monkeypatch.setattr(load, "look_up", lambda _name: None)


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
@pytest.mark.usefixtures("on_the_hub")
def test_each_failure_is_one_sentence(monkeypatch, error, sentence):
    def boot(*_args, **_options):
        try:
            raise error
        except Exception as inner:
            raise OSError("could not load") from inner

    monkeypatch.setattr(load.TransformerBridge, "boot_transformers", boot)
    with pytest.raises(ValueError, match=sentence):
        rs.load_model("some/model")


@pytest.mark.usefixtures("on_the_hub")
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
