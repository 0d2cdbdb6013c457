"""What a run has recorded is not run for again."""

import pytest

import residscope as rs
from residscope.analysis.scores import KINDS
from residscope.models.activations import LiveRun
from tests import architectures, tiny
from tests.runs.test_head_tokens import trace_of


@pytest.fixture
def looks(monkeypatch):
    """How often a run is made anew."""
    made = []

    def counted(self, *asked):
        made.append(self)
        whole(self, *asked)

    whole = LiveRun.look
    monkeypatch.setattr(LiveRun, "look", counted)
    return made


def test_scores_come_from_kept_patterns_or_from_one_more_run_for_all_kinds(looks, monkeypatch):
    model = tiny.bridge("gpt2")
    kept = [trace_of(model).head_scores(kind) for kind in KINDS]
    assert looks == []
    monkeypatch.setattr("residscope.runs.trace.PATTERN_BYTES", 10)
    trace = trace_of(model)
    for kind, score in zip(KINDS, kept, strict=True):
        assert trace.head_scores(kind).allclose(score, equal_nan=True)
    assert len(looks) == 1


@pytest.mark.parametrize("name", ["GPT-2", "Gemma-2", "gpt-oss"])
def test_what_a_head_writes_where_the_target_is_read_has_been_recorded(name, looks):
    trace = trace_of(architectures.build(name))
    read = trace.target.positions[0]
    at_target = trace.head_tokens(1, 2, 0, read)
    assert looks == []
    elsewhere = rs.Trace(trace._model, trace.inputs, target=moved(trace.target)).head_tokens(1, 2, 0, read)
    assert len(looks) == 1
    assert at_target.adds.allclose(elsewhere.adds, atol=1e-5)


def moved(target):
    """Return the target, read one position earlier."""
    return rs.Target(tuple(at - 1 for at in target.positions), target.right, target.wrong)
