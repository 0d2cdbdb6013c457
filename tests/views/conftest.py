"""What most tests of views look at."""

import pytest

import residscope as rs
from tests import tiny
from tests.tiny import PROMPTS


@pytest.fixture(scope="module")
def model():
    return tiny.bridge("llama")


@pytest.fixture
def experiment(model):
    experiment = rs.Experiment(model, PROMPTS, (" Mary", " John"))
    yield experiment
    experiment.close()
