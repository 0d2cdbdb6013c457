"""The sentences of the views that have a canvas of their own, as the browser has them."""

from collections.abc import Sequence

import numpy as np

from residscope.export.words import number, probability, share
from residscope.quantity import Numbers
from residscope.views.patterns import ATTENTION, EFFECT, WEIGHTED
from residscope.views.target_words import TargetWords, in_unit, of_target, where_target
from residscope.views.templates import WORDS, fill

Place = tuple[str, int]
"""A token as it is written, and its position."""


def lens_sentence(
    depth: str, after: Place, top: tuple[str, float] | None, target: TargetWords | None, value: float, read: Place
) -> str:
    """Say what leads at a depth after a token, and how large the target is there.

    Args:
        depth: the depth's name.
        after: the token that is looked at.
        top: the likeliest token and its probability, or None while it is not here.
        target: what is explained.
        value: the target at that depth; NaN where it has none.
        read: where the target is read.
    """
    named = WORDS.get(f"depth_{depth}", depth)
    leads = WORDS["lens_waits"]
    if top is not None:
        token, likely = top
        leads = fill("lens_leads", token=token, share=probability(likely, 3 if likely < 0.01 else 2))
    parts = {"depth": named, "token": after[0], "position": after[1], "leads": leads}
    if target is None or np.isnan(value):
        return fill("lens", **parts)
    said = where_target(target, value)
    if read[1] == after[1]:
        return fill("lens_target", target=said, **parts)
    return fill("lens_elsewhere", target=said, read=read[0], read_position=read[1], **parts)


def looks_sentence(
    head: str, tokens: Sequence[str], query: int, weights: Numbers, key: int | None, colour: str, unit: str
) -> str:
    """Say where a head looks from a query, or what it moves to it; nothing where it has no attention.

    Args:
        head: its name.
        tokens: the row's tokens, as they are written.
        query: the position that is looked from.
        weights: one number a key that the query may look at.
        key: the selected one, or None.
        colour: what the numbers are.
        unit: the target's.
    """

    def said(value: float) -> str:
        if colour == ATTENTION:
            return share(value)
        return fill("length", value=number(value)) if colour == WEIGHTED else in_unit(number(value, sign=True), unit)

    def at(position: int) -> str:
        return fill("token_at", token=tokens[position], position=position)

    def also(position: int) -> str:
        return fill("token_with", token=tokens[position], position=position, value=said(float(weights[position])))

    sizes = np.abs(weights)
    order = [int(one) for one in np.argsort(-sizes, kind="stable")][: int((~np.isnan(weights)).sum())]
    if not order:
        return ""
    first = order[0]
    least = 0.005 if colour == ATTENTION else 0.01 * float(sizes[first])
    then = [one for one in order[1:2] if sizes[one] >= least]
    other = [key] if key is not None and key < len(weights) and key not in (first, *then) else []
    return fill(
        f"looks{'_then' * len(then)}{'_at' * len(other)}",
        head=head,
        query=at(query),
        most=WORDS["most_looks" if colour == ATTENTION else "most_moves"],
        key=at(first),
        value=said(float(weights[first])),
        second="".join(map(also, then)),
        chosen="".join(map(also, other)),
    )


def card_sentence(
    head: str,
    at: Place,
    looks: tuple[Place, float] | None,
    writes: tuple[str, str] | None,
    effect: float | None,
    target: TargetWords,
    *,
    there: bool,
) -> str:
    """Say where a head looks, what it promotes and suppresses, and what it adds to the target.

    Args:
        head: its name.
        at: the token it is looked at.
        looks: the token it looks at most, with the weight.
        writes: the tokens that it promotes and suppresses most.
        effect: its direct effect.
        target: what is explained.
        there: whether the target is read at that token.
    """
    has_value = not np.isnan(target.value)
    parts = {"looks": "", "writes": "", "effect": ""}
    if looks is not None:
        (token, position), weight = looks
        parts["looks"] = fill("card_looks", token=fill("token_at", token=token, position=position), value=share(weight))
    if writes is not None:
        parts["writes"] = fill("card_writes", promoted=writes[0], suppressed=writes[1])
    if effect is not None:
        parts["effect"] = fill(
            "card_effect" if there else "card_effect_there",
            value=in_unit(number(effect, sign=True), "" if has_value else target.unit),
            aim=of_target(target) if has_value else fill("card_to", name=target.name),
        )
    return fill("card", head=head, token=fill("token_at", token=at[0], position=at[1]), **parts)


def maps_sentence(
    heads: Sequence[tuple[int, int]], first: float | None, sort: str, unit: str, resting: Sequence[float]
) -> str:
    """Say whose maps are shown, which comes first, and which rests most on the first token.

    Args:
        heads: layer and head of each, in their order.
        first: the number that the first one is sorted by, if any.
        sort: what that number is.
        unit: its unit, where it has a sign.
        resting: the share of each one's attention that is on the first token, NaN where that is not known.
    """
    layers = {layer for layer, _ in heads}
    together = len(layers) == 1
    said = [fill("maps_layer" if together else "maps", count=len(heads), layer=min(layers, default=""))]
    if first is not None and not np.isnan(first):
        value = in_unit(number(first, sign=True), unit) if sort == EFFECT else number(first)
        said.append(fill("maps_first", sort=sort, head=_named(heads[0]), value=value))
    if heads and not np.isnan(resting).all():
        most = int(np.nanargmax(resting))
        said.append(fill("maps_rest", head=_named(heads[most]), share=number(float(resting[most]))))
    return " ".join(said)


def _named(head: tuple[int, int]) -> str:
    return f"L{head[0]}H{head[1]}"
