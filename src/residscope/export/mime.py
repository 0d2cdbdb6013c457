"""What a notebook keeps of a widget for where there is no kernel and no script: a true still picture."""

import base64
import html
from collections.abc import Sequence
from typing import Any

from residscope.export.figure import Figure
from residscope.export.svg import png, svg

# JupyterLab and nbconvert draw each output in an element of this class. A widget whose kernel is gone leaves a line
# that says so, or one that waits for ever: the picture takes its place. Where the widget is alive the picture gives
# way, and it waits a second for that, so that it does not flash.
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


def display_with_still(bundled: tuple[dict[str, Any], dict[str, Any]], figures: Sequence[Figure], name: str) -> None:
    """Show a widget, and after it the pictures that stand for it where there is no kernel, if there are any.

    They are two outputs: a notebook that is opened again draws only the best kind of each, and of a widget that is gone
    that would be an error.
    """
    from IPython.display import publish_display_data

    data, metadata = bundled
    publish_display_data(data, metadata)  # type: ignore[no-untyped-call]
    if figures:
        publish_display_data(still_bundle(figures, name))  # type: ignore[no-untyped-call]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
