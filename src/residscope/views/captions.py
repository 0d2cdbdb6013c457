"""What the still pictures of several views have in common."""

from residscope.export.words import number, visible
from residscope.given import Given, Run
from residscope.header import target_position
from residscope.live.shared import Selection
from residscope.live.wire import text
from residscope.runs.trace import Trace


def caption(words: str) -> str:
    """Return a summary as a sentence."""
    return f"{words[:1].upper()}{words[1:]}."


def facts(trace: Run, *more: str) -> str:
    """Return the facts at the right of a picture's title; arrays have no run to name."""
    run = ["as cached" if trace.cache_mismatch else "", f"run {trace.number}"] if isinstance(trace, Trace) else []
    return " · ".join(filter(None, [*more, *run]))


def target_name(trace: Run, row: int | None) -> str:
    """Name the target of one row, or of all rows if they have the same name."""
    names = [*dict.fromkeys(_name(trace, one) for one in (range(len(trace.lengths)) if row is None else [row]))]
    return names[0] if len(names) == 1 else "each prompt's target"


def _name(trace: Run, row: int) -> str:
    if isinstance(trace, Given):
        return trace.name
    if trace.target.wrong is None:
        return text(trace.target.names[row])
    right, wrong = (visible(text(side[row].text)) for side in (trace.target.right, trace.target.wrong))
    return f"{right} − {wrong}"


def target_words(trace: Trace, row: int) -> str:
    """Say what the target is and how large it is."""
    return f"{target_name(trace, row)} = {_amount(trace, row)}"


def _amount(trace: Trace, row: int | None) -> str:
    values = trace.target_value if row is None else trace.target_value[row : row + 1]
    return f"{number(float(values.float().mean()))} {trace.target.unit}"


def chosen_row(wanted: int | None, rows: int) -> int | None:
    """Return the row to show out of several, or None for their mean."""
    if rows == 1:
        return 0
    return wanted if wanted is not None and wanted < rows else None


def refusal(words: str, trace: Run) -> ValueError:
    """Return the error to raise when a selection has nothing to show, which says how to select."""
    return ValueError(f'{words}: {"view" if isinstance(trace, Given) else "exp"}.selection.update(head="2.5")')


def spot_of(trace: Run, selection: Selection) -> tuple[int, int, int, int] | str:
    """Return the selected layer, head, row and position, or why the run has none."""
    if selection.head is None:
        return "no head is selected"
    (layer, head), row = selection.head, selection.row or 0
    outside = "the selection is not in this run"
    if row >= len(trace.lengths) or layer >= trace.n_layers or head >= trace.n_heads:
        return outside
    position = target_position(trace, row) if selection.position is None else selection.position
    return (layer, head, row, position) if position < trace.lengths[row] else outside
