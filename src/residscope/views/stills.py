"""What the still pictures of several views have in common."""

from residscope.arrays import ArrayRun, Run
from residscope.export.words import number, visible
from residscope.selection import Selection
from residscope.wire import text


def caption(words: str) -> str:
    """Return a summary as a sentence."""
    return f"{words[:1].upper()}{words[1:]}."


def facts(trace: Run, *checks: str) -> str:
    """Return what stands at the right of a picture's title."""
    return " · ".join([*filter(None, checks), f"run {trace.number}"])


def sum_facts(trace: Run, row: int | None) -> str:
    """Return the sum check of one row, or the worst of all, in words; nothing where the numbers are arrays."""
    checks = trace.sum_check()
    if not checks:
        return ""
    shown = checks if row is None else [checks[row]]
    worst = max(shown, key=lambda check: (not check.ok, abs(check.difference)))
    return f"sum {number(worst.sum)} {'=' if worst.ok else '≠'} {number(worst.target)} {'✓' if worst.ok else '!'}"


def target_name(trace: Run, row: int | None) -> str:
    """Name what is explained: that of one row, or of all where they have one name."""
    names = [*dict.fromkeys(_name(trace, one) for one in (range(len(trace.lengths)) if row is None else [row]))]
    return names[0] if len(names) == 1 else "each prompt's target"


def _name(trace: Run, row: int) -> str:
    if trace.target.wrong is None:
        return text(trace.target.names[row])
    right, wrong = (visible(text(side[row].text)) for side in (trace.target.right, trace.target.wrong))
    return f"{right} − {wrong}"


def target_words(trace: Run, row: int | None) -> str:
    """Say what is explained and how large it is: of one row, or its mean over all."""
    values = trace.target_value if row is None else trace.target_value[row : row + 1]
    mean = "on average " if len(values) > 1 else ""
    return f"{target_name(trace, row)} = {mean}{number(float(values.float().mean()))} {trace.target.unit}"


def effect_name(trace: Run, row: int | None) -> str:
    """Name a view's numbers in its title: direct effects on the target, or what the arrays are called."""
    name = target_name(trace, row)
    return name if isinstance(trace, ArrayRun) else f"direct effect on {name}"


def effect_words(trace: Run, row: int | None) -> str:
    """Name them in its sentence, with the target's own value where there is one."""
    return target_name(trace, row) if isinstance(trace, ArrayRun) else f"direct effects on {target_words(trace, row)}"


def chosen_row(wanted: int | None, rows: int) -> int | None:
    """Return the row to show of several: None for their mean."""
    if rows == 1:
        return 0
    return wanted if wanted is not None and wanted < rows else None


def spot_of(trace: Run, selection: Selection) -> tuple[int, int, int, int] | str:
    """Return the selected layer, head, row and position, or why there are none in a run."""
    if selection.head is None:
        return "no head is selected"
    (layer, head), row = selection.head, selection.row or 0
    outside = "the selection is not in this run"
    if row >= len(trace.lengths) or layer >= trace.n_layers or head >= trace.n_heads:
        return outside
    position = trace.target.positions[row] if selection.position is None else selection.position
    return (layer, head, row, position) if position < trace.lengths[row] else outside
