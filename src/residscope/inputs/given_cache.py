"""A run that somebody has already, as a user gives it: activations, tokens and mask, checked and compared."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from residscope.errors import InputError
from residscope.inputs.padding import as_rows, real_spans, unpacked
from residscope.inputs.vocabulary import Vocabulary
from residscope.models import TransformerBridge, twin_of
from residscope.models.cached import CachedRun, ForeignCacheError, compare


def parse_cache(model: TransformerBridge, cache: Any, tokens: Any, mask: Any) -> CachedRun:
    """Run the model once on these tokens and compare what the cache holds.

    Raises:
        InputError: for a cache, tokens or a mask that cannot be used.
    """
    values = _values(cache)
    tokens, mask = unpacked(tokens, mask)
    padded = _table("tokens", tokens)
    spans = real_spans(mask, list(map(len, padded)))
    rows = [row[start:end] for row, (start, end) in zip(padded, spans, strict=True)]
    twin = twin_of(model)
    vocabulary = Vocabulary(int(model.cfg.d_vocab))
    for row in rows:
        vocabulary.check("tokens", row)
    if len(padded[0]) > model.cfg.n_ctx:
        raise InputError(
            "tokens", f"{len(padded[0])} tokens, and this model reads at most {model.cfg.n_ctx}: cache a shorter prompt"
        )
    try:
        with twin.use() as own:
            run = compare(own, values, rows, [start for start, _ in spans], len(padded[0]))
    except ForeignCacheError as error:
        raise InputError("cache", str(error)) from None
    if run.difference and run.missing:
        raise InputError(
            "cache",
            f"{run.difference}, so nothing can be recomputed, and the cache has no {run.missing!r}: cache that too",
        )
    return run


def _values(cache: Any) -> Mapping[str, Tensor]:
    values = getattr(cache, "cache_dict", cache)
    if not isinstance(values, Mapping) or not all(isinstance(value, Tensor) for value in values.values()):
        raise InputError(
            "cache", f"a cache is an ActivationCache, or a mapping of hook names to tensors, not {type(cache).__name__}"
        )
    if any(value.is_meta for value in values.values()):
        raise InputError(
            "cache", "the cache is on the meta device, which holds shapes but no numbers: cache a run of the real model"
        )
    if not values:
        raise InputError("cache", "the cache is empty: give what model.run_with_cache(tokens) returns")
    return values


def _table(field: str, value: Any) -> list[list[int]]:
    """Return rows of whole numbers, all of one length."""
    plain = as_rows(value)
    if not isinstance(plain, Sequence) or isinstance(plain, str) or not all(_is_row(row) for row in plain):
        raise InputError(
            field, f"{field} are the ids that the cache was made on, [row pos], as model.to_tokens(prompt) gives them"
        )
    if not plain or not plain[0]:
        raise InputError(field, f"{field} are empty: give at least one")
    if any(len(row) != len(plain[0]) for row in plain):
        raise InputError(field, f"rows of {field} differ in length: give them as they were run, padded, with mask=...")
    return [[int(item) for item in row] for row in plain]


def _is_row(row: Any) -> bool:
    return isinstance(row, Sequence) and all(isinstance(item, int) for item in row)
