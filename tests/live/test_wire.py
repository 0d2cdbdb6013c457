"""Arrays and text on the wire."""

import json

import numpy as np
import pytest
from safetensors.numpy import load

from residscope.live import wire


def header_of(data):
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size])


def test_a_payload_names_its_run_and_keeps_its_arrays():
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array([[1, -1]], dtype=np.int32),
        "c": np.array([0.5, np.nan], dtype=np.float16),
    }
    data = wire.pack(7, arrays, {"unit": "logits"})
    header = header_of(data)
    assert header["__metadata__"]["run"] == "7"
    assert json.loads(header["__metadata__"]["info"]) == {"unit": "logits"}
    for name, array in load(data).items():
        np.testing.assert_array_equal(array, arrays[name])
        assert array.dtype == arrays[name].dtype


def test_a_strided_array_is_sent_in_its_own_order():
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    np.testing.assert_array_equal(load(wire.pack(1, {"a": array}, {}))["a"], array)


def test_a_nan_in_what_is_said_is_refused_before_the_browser_chokes_on_it():
    with pytest.raises(ValueError, match="JSON"):
        wire.pack(1, {}, {"value": float("nan")})


def test_lower_triangles_hold_query_by_key():
    pattern = np.arange(9, dtype=np.float16).reshape(1, 3, 3)
    assert wire.lower_triangles(pattern).tolist() == [[0, 3, 4, 6, 7, 8]]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (" Mary\n\t", " Mary\n\t"),
        ("a\ud800b", "a�b"),
        ("a\u202eb", "a<U+202E>b"),
        ("\x00\x1b", "<U+0000><U+001B>"),
        ("\u200b", "<U+200B>"),
        ("<script>", "<script>"),
        ("日本 é", "日本 é"),
        ("e" + "\u0301" * 10, "e" + "\u0301" * 8 + "<U+0301>" * 2),
    ],
)
def test_text_that_would_hide_or_break_is_made_visible(raw, shown):
    assert wire.text(raw) == shown
    wire.text(raw).encode()


def test_a_part_of_a_character_shows_its_bytes():
    assert wire.token_text("\ufffd", "âĢ") == "<E2 80>"
    assert wire.token_text("\ufffd", "<0xE2>") == "<0xE2>"
    assert wire.token_text(" Mary", "ĠMary") == " Mary"
