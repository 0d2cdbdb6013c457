"""What a notebook keeps of a widget for readers without a kernel or scripts: a still picture."""

import base64
import html
from collections.abc import Sequence
from typing import Any

from residscope.export.figure import Figure
from residscope.export.svg import png, svg

# JupyterLab and nbconvert draw each output in an element of this class. A widget without its kernel leaves a line that
# says so, or one that waits for ever: the picture replaces that line. If the widget is alive, it replaces the picture,
# which appears only after a second so that it does not flash.
_OUTPUT = ".jp-OutputArea-child"
_STYLE = f"""
{_OUTPUT}:not(:has(.rs-view, .rs-box)):has(+ {_OUTPUT} .rs-still) {{ display: none }}
{_OUTPUT}:has(.rs-view, .rs-box) + {_OUTPUT}:has(.rs-still) {{ display: none }}
{_OUTPUT} .rs-still {{ animation: rs-still 0s 1s both }}
@keyframes rs-still {{ from {{ max-height: 0; overflow: hidden }} }}
"""


def still_bundle(figures: Sequence[Figure], name: str = "") -> dict[str, str]:
    """Return the pictures by MIME type, one below the other: `text/html`, `image/png` and what they say.

    Args:
        figures: what to draw.
        name: by which the live widget finds the picture that it takes the place of.
    """
    picture = svg(figures)
    said = "\n".join(figure.said for figure in figures)
    source = _base64(picture.encode())
    image = f'<img alt="{html.escape(said)}" src="data:image/svg+xml;base64,{source}" style="max-width: 100%">'
    return {
        "text/plain": said,
        "image/png": _base64(png(picture, zoom=1.5)),
        "text/html": f'<div class="rs-still" data-still="{name}"><style>{_STYLE}</style>{image}</div>',
    }


def waiting_bundle(words: str, name: str) -> dict[str, str]:
    """Return what stands in a picture's place while it is not there.

    Args:
        words: what is said meanwhile.
        name: as for the picture.
    """
    style = f"<style>{_STYLE}</style>"
    return {
        "text/plain": words,
        "text/html": f'<div class="rs-still" data-still="{name}">{style}{html.escape(words)}</div>',
    }


def display(bundled: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Show a widget."""
    from IPython.display import publish_display_data

    data, metadata = bundled
    publish_display_data(data, metadata)  # type: ignore[no-untyped-call]


def display_still(data: dict[str, str], name: str, *, update: bool = False) -> None:
    """Show the pictures that stand for a widget where there is no kernel, right after it.

    They are two outputs: a notebook that is opened again draws only the best kind of each, and of a widget that is gone
    that would be an error.

    Args:
        data: the picture by MIME type.
        name: the name that an update refers to.
        update: whether it takes the place of the one that was shown by this name.
    """
    from IPython.display import publish_display_data

    publish_display_data(data, transient={"display_id": name}, update=update)  # type: ignore[no-untyped-call]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
