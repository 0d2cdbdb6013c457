"""What the model would say if it stopped at each depth, at each position."""

from typing import TYPE_CHECKING, Any

import numpy as np

from residscope.scene import texts_of
from residscope.trace import Trace
from residscope.views.base import View
from residscope.views.checks import check_info
from residscope.worker import Ticket

if TYPE_CHECKING:
    import pandas as pd

TOP_K = 10


class LogitLens(View):
    """A positions-by-depths grid of the likeliest next tokens, with the depth slider, top k and the target's curve."""

    bundle_name = "logit_lens"

    def payload(self, trace: Trace, ticket: Ticket | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the lens's top tokens, entropy, target and rank, and the check of its last row."""
        k = min(TOP_K, trace.vocabulary_size)
        step = (lambda done, total: ticket.step("logit lens", done, total)) if ticket else (lambda _done, _of: None)
        lens = trace.logit_lens(k, step=step)
        top_ids = lens.top_ids.cpu().numpy().astype(np.int32)
        arrays = {
            "top_ids": top_ids,
            "top_probs": lens.top_probs.half().cpu().numpy(),
            "entropy": lens.entropy.half().cpu().numpy(),
            "target_value": lens.target_value.float().cpu().numpy(),
            "target_rank": lens.target_rank.cpu().numpy().astype(np.int32),
        }
        info = {
            "texts": texts_of(trace, (int(token) for token in np.unique(top_ids) if token >= 0)),
            "check": [check_info(check) for check in lens.checks],
            "unit": trace.target.unit,
        }
        return arrays, info

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per prompt, depth, position and place among the top k."""
        import pandas as pd

        trace = self.experiment.trace
        lens = trace.logit_lens(min(TOP_K, trace.vocabulary_size))
        ids = lens.top_ids.cpu().numpy()
        row, depth, position, place = np.nonzero(ids >= 0)
        kept = ids[ids >= 0]
        return pd.DataFrame(
            {
                "row": row,
                "depth": np.array(trace.depths, dtype=object)[depth],
                "position": position,
                "place": place,
                "token": [trace.decode(int(token)) for token in kept],
                "token_id": kept,
                "probability": lens.top_probs.cpu().numpy()[ids >= 0],
            }
        )

    def summary(self, trace: Trace) -> str:
        """Say what leads at the selected depth where the target is read."""
        lens = trace.logit_lens(min(TOP_K, trace.vocabulary_size))
        depth = min(self.selection.depth, len(trace.depths) - 1)
        position = trace.target.positions[0]
        top = int(lens.top_ids[0, depth, position, 0])
        return (
            f"at {trace.depths[depth]}, position {position}, {trace.decode(top)!r} leads with "
            f"{float(lens.top_probs[0, depth, position, 0]):.3g}; {trace.target.names[0]} = "
            f"{float(lens.target_value[0, depth]):.3g} {trace.target.unit}"
        )
