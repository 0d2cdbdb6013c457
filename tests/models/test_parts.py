"""What a mean and a resample are made of, against plain torch."""

import pytest
import torch

import residscope as rs
from residscope.models import Site, twin_of
from residscope.models.activations import LiveRun, pad_right
from residscope.models.parts import after_first, mean_of, of_rows, read_parts
from tests import tiny

ROWS = [[0, 45, 32, 60, 33, 71, 80], [0, 12, 77], [0, 91]]
LENGTHS = [len(row) for row in ROWS]
SITES = [
    Site("head", 1, 2),
    Site("attn", 1),
    Site("mlp", 2),
    Site("resid_pre", 1),
    Site("resid_mid", 1),
    Site("resid_post", 2),
]


@pytest.fixture(scope="module", params=["gpt2", "llama-bias"])
def read(request):
    model = tiny.bridge(request.param)
    with twin_of(model).use() as twin:
        tokens, _ = pad_right(ROWS, torch.device("cpu"))
        parts = read_parts(twin, LiveRun(tokens), SITES)
    return twin, parts, [tiny.forward(request.param, row) for row in ROWS]


def test_parts_are_those_of_a_plain_forward(read):
    model, parts, forwards = read
    for row, f in enumerate(forwards):
        n = LENGTHS[row]
        expected = [
            f.head_parts[1, 2],
            f.head_parts[1].sum(0),
            f.mlp[2],
            f.resid[2],
            f.resid[3],
            f.resid[6],
        ]
        for site, part, own in zip(SITES, parts, expected, strict=True):
            got = part[row, :n]
            if site.kind == "head":
                got = got @ model.blocks[1].attn.W_O[2]
            torch.testing.assert_close(got, own.float(), atol=2e-5, rtol=1e-4, msg=str(site))


def test_a_mean_counts_each_token_once_and_no_rows_first(read):
    _, parts, forwards = read
    (_, attn, *_) = parts
    tokens = torch.cat([f.head_parts[1].sum(0)[1:] for f in forwards])
    assert len(tokens) == 9
    torch.testing.assert_close(mean_of(attn, LENGTHS), tokens.mean(0).float(), atol=2e-5, rtol=1e-4)
    with_first = torch.cat([f.head_parts[1].sum(0) for f in forwards])
    torch.testing.assert_close(mean_of(attn, LENGTHS, first=True), with_first.mean(0).float(), atol=2e-5, rtol=1e-4)
    assert after_first(LENGTHS) == [[1, 2, 3, 4, 5, 6], [1, 2], [1]]


def test_without_a_token_there_is_no_mean():
    with pytest.raises(
        rs.InputError, match="there is no token to take a mean over, since each prompt's first is left out"
    ):
        mean_of(torch.zeros(2, 1, 4), [1, 1])


def test_a_row_takes_from_another_at_the_same_positions(read):
    _, parts, _ = read
    taken = of_rows(parts[0], [0, 0, 1], [7, 3, 2], LENGTHS)
    assert taken.shape == (3, 7, 8)
    assert torch.equal(taken[0], parts[0][0])
    assert torch.equal(taken[1, :3], parts[0][0, :3])
    assert torch.equal(taken[2, :2], parts[0][1, :2])
    assert (taken[1, 3:] == 0).all()
    with pytest.raises(rs.InputError, match="row 0 has 7 tokens and takes from row 1, which has 3: take from a row"):
        of_rows(parts[0], [1, 0, 0], LENGTHS, LENGTHS)
