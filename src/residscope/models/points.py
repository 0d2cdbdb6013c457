"""Names of hook points that differ between architectures."""

from collections.abc import Container

from transformer_lens.model_bridge import TransformerBridge


def added_by_mixer(model: TransformerBridge, layer: int, known: Container[str] | None = None) -> str:
    """Name the hook point of what a layer's attention, or the mixer in its place, adds to the residual stream.

    Args:
        model: whose hook points they are.
        layer: which layer.
        known: the model's hook points, which it gathers anew each time.
    """
    points = model.hook_dict if known is None else known
    block = f"blocks.{layer}"
    for name in (f"{block}.hook_attn_out", f"{block}.attn.hook_out"):
        if name in points:
            return name
    mixers = [name for name, _ in model.blocks[layer].named_children() if f"{block}.{name}.hook_out" in points]
    mixer = next(name for name in mixers if name != "mlp" and not name.startswith("ln"))
    return f"{block}.{mixer}.hook_out"
