"""Rotary embeddings that depend on the longest text of a run, and which prompts then cannot run together."""

from collections.abc import Sequence
from typing import Any

from transformer_lens.model_bridge import TransformerBridge


def why_not_together(model: TransformerBridge, lengths: Sequence[int]) -> str:
    """Say why prompts of these lengths would change each other's numbers in one run, or nothing.

    "longrope" has two sets of frequencies and takes one for the whole run. "dynamic" ones change beyond the model's
    longest text alone, which nothing here runs.
    """
    config: Any = model.original_model.config
    told = getattr(config.get_text_config(), "rope_parameters", None) or {}
    for one in (told, *told.values()):
        if not isinstance(one, dict) or one.get("rope_type") != "longrope":
            continue
        limit = one["original_max_position_embeddings"]
        if min(lengths) <= limit < max(lengths):
            return (
                f"in a model with longrope embeddings a prompt of more than {limit} tokens changes the numbers of "
                f"shorter ones in the same run, and these have {min(lengths)} to {max(lengths)}: give short and long "
                "prompts to separate experiments"
            )
    return ""
