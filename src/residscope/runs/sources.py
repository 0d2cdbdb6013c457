"""What each head moves from each token: the source split, value-weighted patterns, and head scores."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from residscope.analysis import attribution, scores
from residscope.analysis.check import rounding
from residscope.analysis.sources import mixing_error, split_by_source, value_weighted
from residscope.inputs.target import Target
from residscope.inputs.tokenizer import vocabulary_of
from residscope.models import PreTrainedModel, Recording, TransformerBridge, as_bridge, twin_of
from residscope.models.activations import Activations, LiveRun, over_patterns
from residscope.models.cached import NotCachedError
from residscope.models.mixing import Mixing, record_mixing
from residscope.models.placement import home_of
from residscope.models.terms import Terms
from residscope.models.weights import constant_z, final_norm, head_weights, layers_with_heads
from residscope.runs.direction import direction_of

REPEATS, LENGTH = 10, 50
"""How many random sequences head scores are measured on, and how many tokens each repeats once."""


class NoSplitError(ValueError):
    """A head's output cannot be split by source token: its values are changed on the way, or a cache lacks them."""


def source_split(
    model: TransformerBridge, run: Activations, recording: Recording, target: Target, layer: int
) -> Float[Tensor, "row head query key"]:
    """Return what a layer's heads move from each key to each query along the target's direction, in its unit.

    At each query the final norm's scale is that query's own; where the target is read it sums over keys to the
    heads' direct effects. The target has one term per row.

    Raises:
        NoSplitError: where a gate, a clip, a norm or a hook stands between the values and z.
    """
    ((_, mixing),) = _mixings(model, run, [layer])
    return _split(model, layer, mixing, direction_of(model, recording, target).vector, recording.final_scales)


def token_attribution(
    model: TransformerBridge,
    run: Activations,
    recording: Recording,
    target: Target,
    tokens: Int[Tensor, "row pos"],
) -> Float[Tensor, "row layer head key"]:
    """Return every head's source split where the target is read, summed over a row's terms; NaN where are no heads.

    Raises:
        NoSplitError: where a gate, a clip, a norm or a hook stands between the values and z.
    """
    terms = Terms.of(target.term_rows, target.positions, tokens.device)
    direction = direction_of(model, recording, target).vector
    shape = (len(tokens), model.cfg.n_layers, model.cfg.n_heads, tokens.shape[1])
    split = torch.full(shape, torch.nan, device=direction.device)
    for layer, mixing in _mixings(model, run, layers_with_heads(model), terms):
        of_terms = _split(model, layer, mixing, direction, recording.scale[:, None])[:, :, 0]
        split[:, layer] = torch.zeros_like(split[:, layer]).index_add(0, terms.rows.to(of_terms.device), of_terms)
    return split


def weighted_pattern(model: TransformerBridge, run: Activations, layer: int) -> Float[Tensor, "row head query key"]:
    """Return a layer's attention weights times the lengths of the values' parts as W_O writes them.

    Raises:
        NoSplitError: where a gate, a clip, a norm or a hook stands between the values and z.
    """
    ((_, mixing),) = _mixings(model, run, [layer])
    pattern, value = _parts(model, mixing, layer)
    weighted = value_weighted(pattern, value, head_weights(model, layer).W_O.to(value))
    return weighted if mixing.passed is None else weighted * _of_queries(mixing.passed).abs()


def scores_on(
    model: TransformerBridge,
    run: Activations,
    kinds: Sequence[scores.Kind],
    tokens: Int[Tensor, "row pos"],
    mask: Bool[Tensor, "row pos"],
    first: int,
    patterns: Float[Tensor, "layer row head query key"] | None = None,
) -> dict[scores.Kind, Float[Tensor, "row layer head"]]:
    """Return each head's score of each kind on these tokens; NaN where no token repeats and for layers without heads.

    Args:
        model: the model that has run.
        run: its activations.
        kinds: of heads.
        tokens: which it has run on.
        mask: True at real ones.
        first: the first position that counts.
        patterns: the run's patterns, if they were kept; otherwise it runs again.
    """
    keys = {kind: scores.keys_of(kind, tokens, mask, first) for kind in kinds}
    blank = torch.full((len(tokens), model.cfg.n_layers, model.cfg.n_heads), torch.nan, device=tokens.device)
    measured = {kind: blank.clone() for kind in kinds}

    def take(pattern: Tensor) -> list[Tensor]:
        return [scores.score(pattern.float(), keys[kind].to(pattern.device)) for kind in kinds]

    layers = layers_with_heads(model)
    of_layers = over_patterns(model, run, layers, take) if patterns is None else {n: take(patterns[n]) for n in layers}
    for layer, each in of_layers.items():
        for kind, score in zip(kinds, each, strict=True):
            measured[kind][:, layer] = score.to(tokens.device)
    return measured


def head_scores(
    model: TransformerBridge | PreTrainedModel, kind: str, seed: int = 0, *, tokenizer: Any = None
) -> Float[Tensor, "layer head"]:
    """Return how much each head behaves like a head of this kind on repeated random tokens: `[layer head]`, 0 to 1.

    It runs ten sequences of fifty random tokens, each followed by a copy of itself, after a BOS if the model is used to
    one. The score is the attention to the keys that such a head looks at, averaged over queries and sequences (Olsson
    et al. 2022).

    Args:
        model: the model to measure, as for an experiment; it is not changed.
        kind: "induction" (what followed the token's earlier occurrence), "previous token" or "duplicate token" (the
            earlier occurrence itself).
        seed: the seed of the random tokens.
        tokenizer: the tokenizer of a Hugging Face model.

    Returns:
        The scores; NaN for layers without attention heads.

    Raises:
        ValueError: for an unknown kind.
        InputError: for a model that cannot be shown.
    """
    known = checked_kind(kind)
    model = as_bridge(model, tokenizer)
    twin = twin_of(model)
    vocabulary = vocabulary_of(twin.tokenizer, int(model.cfg.d_vocab))
    ordinary = torch.tensor([token for token in range(model.cfg.d_vocab) if token not in vocabulary.special_ids])
    bos = vocabulary.bos if model.cfg.default_prepend_bos else None
    first = 0 if bos is None else 1
    length = min(LENGTH, (model.cfg.n_ctx - first) // 2)
    drawn = torch.randint(len(ordinary), (REPEATS, length), generator=torch.Generator().manual_seed(seed))
    once = ordinary[drawn]
    begin = torch.full((REPEATS, first), bos or 0)
    with twin.use() as own:
        tokens = torch.cat([begin, once, once], 1).to(home_of(own))
        mask = torch.ones_like(tokens, dtype=torch.bool)
        return scores_on(own, LiveRun(tokens), [known], tokens, mask, first)[known].mean(0)


def _mixings(
    model: TransformerBridge, run: Activations, layers: Sequence[int], terms: Terms | None = None
) -> Iterator[tuple[int, Mixing]]:
    try:
        yield from record_mixing(model, run, layers, terms)
    except NotCachedError as error:
        raise NoSplitError(str(error)) from None


def checked_kind(kind: str) -> scores.Kind:
    """Return the kind of head of this name.

    Raises:
        ValueError: when there is none.
    """
    for known in scores.KINDS:
        if kind == known:
            return known
    raise ValueError(f"there is no head score {kind!r}: the scores are {', '.join(map(repr, scores.KINDS))}")


def _split(
    model: TransformerBridge,
    layer: int,
    mixing: Mixing,
    direction: Float[Tensor, "row d_model"],
    scales: Float[Tensor, "row query 1"],
) -> Float[Tensor, "row head query key"]:
    head, norm = head_weights(model, layer), final_norm(model)
    pattern, value = _parts(model, mixing, layer)
    # The norms' scales differ by query and are divided out at the end; all else is the same at every query.
    one, scales = direction.new_ones(len(direction), 1), scales.to(direction)
    u = attribution.through_norm(direction, norm.weight, one, centred=norm.centred)
    if head.post_norm is not None and mixing.post_scale is not None:
        u = attribution.through_norm(u, head.post_norm.weight, one, centred=head.post_norm.centred)
        scales = scales * mixing.post_scale.to(u)
    folded = attribution.fold_heads(head.W_O.to(u), u * head.multiplier)
    split = (split_by_source(pattern.to(u), value.to(u), folded) / scales[:, None]).float()
    return split if mixing.passed is None else split * _of_queries(mixing.passed)


def _of_queries(passed: Float[Tensor, "row query head"]) -> Float[Tensor, "row head query 1"]:
    return passed.transpose(1, 2)[..., None]


def _parts(
    model: TransformerBridge, mixing: Mixing, layer: int
) -> tuple[Float[Tensor, "row head query key"], Float[Tensor, "row head key d_head"]]:
    """Return the pattern and the values' parts in float32, once it is known that nothing comes between."""
    pattern, value, z = mixing.pattern.float(), mixing.value.float(), mixing.mixed.float()
    if mixing_error(pattern, value, z) > 8 * rounding(mixing.mixed.dtype):
        raise NoSplitError(
            f"a gate, a clip, a norm or a hook stands between the values and the output of layer {layer}'s heads in "
            "this run, so what they write cannot be credited to the tokens they look at: read the attention instead"
        )
    constant = constant_z(model, layer)
    return pattern, value if constant is None else value - constant.float()[:, None]
