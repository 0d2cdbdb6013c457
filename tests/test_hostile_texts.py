"""Hostile texts in Python: they can be sent, they are shown as what they are, and a run takes them or says why not."""

import json
import unicodedata
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from safetensors.numpy import load

import residscope as rs
from residscope import views
from residscope.export.mime import still_bundle
from residscope.live import wire
from residscope.views.base import View
from tests import tiny
from tests.frontend import FrontEnd
from tests.hostile import TEXTS
from tests.settled import settle

VIEWS = [getattr(views, name) for name in views.__all__ if issubclass(getattr(views, name), View)]

every_text = pytest.mark.parametrize("raw", TEXTS.values(), ids=TEXTS.keys())


def test_there_are_forty_and_no_two_are_alike():
    assert len(set(TEXTS.values())) == len(TEXTS) == 40


@every_text
def test_a_text_can_be_sent_and_hides_nothing(raw):
    for shown in (wire.text(raw), wire.token_text(raw, raw)):
        json.dumps(shown, ensure_ascii=False).encode()
        assert json.loads(info_of(wire.pack(1, {}, {"text": shown})))["text"] == shown
        assert wire.text(shown) == shown
        hidden = [unicodedata.name(one, "?") for one in shown if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl")]
        assert set(hidden) <= {"?"}
        assert not {"\x00", "\r", "\x1b"} & set(shown)


def info_of(data):
    load(data)
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size])["__metadata__"]["info"]


@pytest.mark.parametrize(
    ("raw", "piece", "shown"),
    [
        ("\ufffd", "\u00e2\u0122", "<E2 80>"),
        ("\ufffd\ufffd", "\u00f0\u0141", "<F0 9F>"),
        ("a\ufffd", "a\u00f0", "<61 F0>"),
        ("\ufffd", "<0xE2>", "<0xE2>"),
        ("\ufffd", "\ud800", "\ufffd"),
        ("\ufffd", "<script>\u202e", "<script><U+202E>"),
    ],
)
def test_a_part_of_a_character_is_shown_as_its_bytes(raw, piece, shown):
    assert wire.token_text(raw, piece) == shown


class Parts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, sorted(name for name, _value in attrs)))


@pytest.fixture(scope="module")
def shown():
    """Every view of one experiment, whose messages must all be such as can be sent."""
    with pytest.MonkeyPatch.context() as patched:
        FrontEnd(patched)
        experiment = rs.Experiment(tiny.bridge("demo"), "When", (" Mary", " John"))
        experiment.selection.update(head="1.1")
        yield [view(experiment) for view in VIEWS]
        experiment.close()


REFUSED = {"half characters": "half a character", "no break": "tokens in prompts, and this model reads at most"}
ACTIVE = {"script", "style", "a", "use", "foreignObject", "iframe", "animate", "set"}


@pytest.mark.parametrize("name", [name for name in TEXTS if name not in REFUSED])
def test_a_prompt_goes_through_a_run_into_every_view_and_its_pictures(shown, name):
    experiment = shown[0].experiment
    experiment.update(prompts=f"When {TEXTS[name]}")
    shown_in(experiment)
    row = experiment.status._header["rows"][0]
    assert row["prompt"] == wire.text(f"When {TEXTS[name]}")
    assert [view._shown for view in shown] == [experiment.trace.number] * len(shown)
    for view in shown:
        for part in ElementTree.fromstring(view.to_svg()).iter():
            assert part.tag.rpartition("}")[2] not in ACTIVE
            assert not any(name.startswith("on") for name in part.attrib)
            assert not any(value.startswith(("javascript", "url", "http")) for value in part.attrib.values())
        view.to_plotly().to_json().encode()
        view.to_frame().to_csv()


@pytest.mark.parametrize("name", ["script", "attribute", "quote", "entities"])
def test_what_a_notebook_keeps_is_a_picture_and_nothing_else(shown, name):
    experiment = shown[0].experiment
    experiment.update(prompts=f"When {TEXTS[name]}")
    shown_in(experiment)
    for view in shown:
        parts = Parts()
        parts.feed(still_bundle([view._figure(experiment.trace)])["text/html"])
        assert parts.tags == [("div", ["class", "data-still"]), ("style", []), ("img", ["alt", "src", "style"])]


def shown_in(experiment):
    """Wait until the views have taken the newest run."""
    experiment.wait()
    settle(experiment)


@pytest.mark.parametrize(("name", "sentence"), REFUSED.items(), ids=REFUSED.keys())
def test_what_no_run_can_take_is_refused_in_one_sentence(shown, name, sentence):
    with pytest.raises(rs.InputError, match=sentence) as refused:
        shown[0].experiment.update(prompts=f"When {TEXTS[name]}")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200
