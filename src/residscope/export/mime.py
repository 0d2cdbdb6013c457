"""What a notebook keeps beside a widget, for where there is no kernel and no script: a true still picture."""

import base64
import html
from collections.abc import Sequence

from residscope.export.svg import png, svg
from residscope.figure import Figure


def still_bundle(figures: Sequence[Figure]) -> dict[str, str]:
    """Return the pictures by MIME type, one below the other: `text/html` and `image/png`."""
    picture = svg(figures)
    said = html.escape("\n".join(figure.sentence for figure in figures))
    source = _base64(picture.encode())
    return {
        "image/png": _base64(png(picture, zoom=1.5)),
        "text/html": f'<img alt="{said}" src="data:image/svg+xml;base64,{source}" style="max-width: 100%">',
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
