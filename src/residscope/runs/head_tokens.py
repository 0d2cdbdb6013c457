"""The tokens that a head's output promotes and suppresses."""

from dataclasses import dataclass

from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor

from residscope.analysis import attribution
from residscope.models import Recording, TransformerBridge
from residscope.models.activations import Activations
from residscope.models.mixing import record_mixing
from residscope.models.terms import Terms
from residscope.models.weights import constant_z, final_norm, head_weights, logit_tail, unembedding


@dataclass(frozen=True)
class HeadTokens:
    """What a head's output adds to the logits of the tokens that it promotes and suppresses most.

    In logits before a soft cap, minus the mean over the vocabulary, which changes no probability.

    Attributes:
        promoted: the tokens, the most promoted first.
        adds: what is added to each.
        suppressed: the tokens, the most suppressed first.
        takes: what is added to each, negative.
    """

    promoted: Int[Tensor, "k"]
    adds: Float[Tensor, "k"]
    suppressed: Int[Tensor, "k"]
    takes: Float[Tensor, "k"]


def head_tokens(
    model: TransformerBridge,
    run: Activations,
    recording: Recording,
    place: int | Terms,
    layer: int,
    head: int,
    k: int,
) -> HeadTokens:
    """Read what a head writes at a position through the final norm, its scale frozen, and the unembedding.

    Args:
        model: the model that has run.
        run: its activations.
        recording: the recording of the run.
        place: the index of a recorded term, or a term that is not recorded.
        layer: the head's.
        head: its number.
        k: how many tokens of either kind.
    """
    weights, norm, (W_U, _) = head_weights(model, layer), final_norm(model), unembedding(model)
    post_scale: Tensor | None
    if isinstance(place, int):
        z, paid = recording.z[layer, place, head], recording.row_sums[layer, place, head]
        post_scale, scale = recording.post_scales[layer, place, None], recording.scale[place]
        factor = None if recording.attn_factors is None else recording.attn_factors[layer, place]
    else:
        ((_, mixing),) = record_mixing(model, run, [layer], place)
        z, paid = mixing.z[0, 0, head], mixing.pattern[0, head, 0].float().nansum()
        post_scale = None if mixing.post_scale is None else mixing.post_scale[0]
        scale = place.take(recording.final_scales)[0]
        factor = next((place.take(edit.factor)[0] for edit in run.edits.find("attn", layer)), None)
    z, constant = z.float(), constant_z(model, layer)
    if constant is not None:
        # A sink takes a share of the weight, and of what every value holds with it.
        z = z - paid * constant[head].float()
    part = einsum(z, weights.W_O[head].float(), "d_head, d_head d_model -> d_model")[None]
    if factor is not None:
        part = part * factor.to(part)
    post = weights.post_norm
    if post is not None and post_scale is not None:
        part = attribution.normed(part, post.weight, post_scale.float(), centred=post.centred)
    normed = attribution.normed(part * weights.multiplier, norm.weight, scale[None].float(), centred=norm.centred)
    logits = (normed @ W_U.float())[0] * logit_tail(model).kappa
    logits = logits - logits.mean()
    most, least = logits.topk(k), (-logits).topk(k)
    return HeadTokens(most.indices, most.values, least.indices, -least.values)
