"""A still picture as a plotly figure, with its numbers on hover."""

import html
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from residscope.export.colours import AMBER, INK, STOPS, colour, level
from residscope.export.figure import Bars, Block, Chips, Curve, Figure, Group, Heading, Map, Numbers, Table
from residscope.export.words import lines, shorten, visible

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure


_NOTE = 100
"""How many characters a line of a warning has."""

_AXIS = ("tickvals", "ticktext", "autorange", "title")
"""What an axis keeps of a figure's own among others."""


def plotly_figure(figure: Figure) -> "PlotlyFigure":
    """Return a figure's first map, chart or table for plotly, or all its prompts, with its warnings under the title.

    Where a figure shows several numbers, they stand one below the other.
    """
    several = any(isinstance(block, Heading) for block in figure.blocks)
    made = _stacked(figure.blocks) if several else _made(figure.blocks or [Table("", ())])
    said = [figure.title, figure.what, figure.facts]
    title: dict[str, Any] = {"text": _plain(" · ".join(filter(None, said)))}
    notes = [line for note in figure.notes for line in lines(note, _NOTE)]
    if notes:
        title["subtitle"] = {"text": "<br>".join(map(_plain, notes)), "font": {"color": AMBER}}
    margin = {"t": 80 + 18 * len(notes)} if notes else {}
    made.update_layout(title=title, plot_bgcolor="white", margin=margin)
    return made


def _made(blocks: Sequence[Block]) -> "PlotlyFigure":
    import plotly.graph_objects as go

    block = blocks[0]
    match block:
        case Map():
            return _facets([("", block)])
        case Group():
            return _facets(list(block.members))
        case Chips():
            return _tokens([one for one in blocks if isinstance(one, Chips)])
        case Bars():
            return _bars(block)
        case Curve():
            curve = go.Scatter(x=list(block.steps), y=block.values, mode="lines+markers", name=block.name)
            return go.Figure(curve, {"yaxis": {"title": _axis(block)}})
        case Heading():
            return _made(blocks[1:] or [Table(block.words, ())])
        case Table():
            columns = [[_plain(left) for left, _ in block.rows], [right for _, right in block.rows]]
            return go.Figure(go.Table(header={"values": [block.heading, ""]}, cells={"values": columns}))


def _stacked(blocks: Sequence[Block]) -> "PlotlyFigure":
    """Return the block after each heading, one below the other."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    parts = [(one.words, _made([block])) for one, block in pairwise(blocks) if isinstance(one, Heading)]
    kinds = [[{"type": "domain" if isinstance(own.data[0], go.Table) else "xy"}] for _, own in parts]
    made = make_subplots(len(parts), 1, subplot_titles=[_plain(words) for words, _ in parts], specs=kinds)
    for row, (_, own) in enumerate(parts, 1):
        for trace in own.data:
            if isinstance(trace, go.Heatmap):
                trace.colorbar.update(len=1 / len(parts), y=1 - (row - 0.5) / len(parts))
            made.add_trace(trace, row, 1)
        for axis, update in (("xaxis", made.update_xaxes), ("yaxis", made.update_yaxes)):
            asked = own.layout[axis].to_plotly_json()
            update({name: asked[name] for name in _AXIS if name in asked}, row=row, col=1)
    made.update_layout(height=360 * len(parts), showlegend=False)
    return made


def _facets(maps: Sequence[tuple[str, Map]]) -> "PlotlyFigure":
    from plotly.subplots import make_subplots

    made = make_subplots(1, max(1, len(maps)), subplot_titles=[name for name, _ in maps])
    for col, (_, block) in enumerate(maps, 1):
        made.add_trace(_heatmap(block, bar=col == 1), 1, col)
        # By number: plotly would merge equal labels, which tokens often are.
        for axis, labels in (("x", block.cols), ("y", block.rows)):
            words = [shorten(label, 24) for label in _labels(block, labels)]
            made.update_layout(
                {f"{axis}axis{col if col > 1 else ''}": {"tickvals": list(range(len(words))), "ticktext": words}}
            )
        if not block.upward:
            made.update_yaxes(autorange="reversed", row=1, col=col)
    return made


def _heatmap(block: Map, *, bar: bool) -> Any:
    import plotly.graph_objects as go

    colours = STOPS[block.scale]
    inside = "" if block.texts is None else "%{text} "
    written = None if block.texts is None else [[_plain(visible(text)) for text in row] for row in block.texts]
    return go.Heatmap(
        z=_blank(block.values),
        zmin=0 if block.scale == "sequential" else -block.high,
        zmax=block.high,
        colorscale=[[at / (len(colours) - 1), f"#{colour}"] for at, colour in enumerate(colours)],
        showscale=bar,
        colorbar={"title": block.unit},
        text=written,
        texttemplate=None if written is None else "%{text}",
        customdata=[[[row, col] for col in _labels(block, block.cols)] for row in _labels(block, block.rows)],
        hovertemplate=f"%{{customdata[0]}}, %{{customdata[1]}}: {inside}%{{z:.4g}} {block.unit}<extra></extra>",
    )


def _tokens(prompts: Sequence[Chips]) -> "PlotlyFigure":
    """Return the tokens of all prompts, a row each, the first at the top."""
    longest = max(len(block.texts) for block in prompts)
    values = np.full((len(prompts), longest), np.nan)
    for row, block in enumerate(prompts):
        values[row, : len(block.texts)] = 0.0 if block.values is None else block.values
    texts = [[*block.texts, *[""] * (longest - len(block.texts))] for block in prompts]
    first, labels = prompts[0], [f"prompt {row}" for row in range(len(prompts))] if len(prompts) > 1 else [""]
    positions = [str(position) for position in range(longest)]
    made = _facets([("", Map(values, labels, positions, "signed", first.high, first.name, first.unit, texts=texts))])
    made.update_traces(showscale=first.values is not None)
    return made


def _bars(block: Bars) -> "PlotlyFigure":
    import plotly.graph_objects as go

    shades = np.ones(len(block.values)) if block.shades is None else block.shades
    inks = [colour("signed", level("signed", share, 1.0)) for share in (np.sign(block.values) * shades).tolist()]
    bars = go.Bar(x=block.values, y=list(block.labels), orientation="h", name=block.name, marker={"color": inks})
    made = go.Figure(bars)
    for row, values in enumerate([] if block.spread is None else block.spread):
        dots = {"mode": "markers", "marker": {"size": 4, "color": INK}}
        made.add_trace(go.Scatter(x=values, y=list(block.labels), name=f"prompt {row}", **dots))
    made.update_layout(xaxis_title=_axis(block), showlegend=block.spread is not None)
    return made


def _axis(block: Bars | Curve) -> str:
    return ", ".join(filter(None, [block.name, block.unit]))


def _labels(block: Map, labels: Sequence[str]) -> list[str]:
    return [_plain(visible(label) if block.tokens else label) for label in labels]


def _plain(text: str) -> str:
    """Keep plotly from taking a text for markup."""
    return html.escape(text, quote=False)


def _blank(values: Numbers) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in values]
