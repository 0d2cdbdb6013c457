"""One module per widget: which arrays it shows, which traits it has."""

from residscope.live.widget import check_front_end

# First, because importing torch takes seconds.
check_front_end()

from residscope.views.attention_pattern import AttentionPattern
from residscope.views.boxes import Column, Row
from residscope.views.head_attribution import HeadAttribution
from residscope.views.head_grid import HeadGrid
from residscope.views.head_readout import HeadReadout
from residscope.views.layer_attribution import LayerAttribution
from residscope.views.logit_lens import LogitLens
from residscope.views.token_strip import TokenStrip

__all__ = [
    "AttentionPattern",
    "Column",
    "HeadAttribution",
    "HeadGrid",
    "HeadReadout",
    "LayerAttribution",
    "LogitLens",
    "Row",
    "TokenStrip",
]
