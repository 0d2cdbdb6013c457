"""A fresh Python until the first picture of the demo model is ready to be sent."""

from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.timing import starts

PLAIN = "import residscope.models, residscope.experiment, residscope.workbench"
"""Python's own imports, which the library's names do with the garbage collector at rest."""

PICTURE = """
import residscope as rs
model = rs.load_model("demo")
experiment = rs.Experiment(
    model,
    "When Mary and John went to the store, John gave a drink to",
    answers=(" Mary", " John"),
    corrupted="When Mary and John went to the store, Mary gave a drink to",
)
rs.Workbench(experiment)
from residscope.experiment import source_of
from residscope.live.worker import Priority
experiment.wait()
source_of(experiment).ask("all are shown", lambda _ticket: None, Priority.STILL).wait()
"""

DEPENDENCIES = "import torch, transformer_lens.model_bridge, anywidget"


def measure(scale: Scale) -> list[Row]:
    """Measure the whole, against what it was before the collector rested and against the imports that it needs."""
    time = starts({"picture": PICTURE, "before": PLAIN + PICTURE, "dependencies": DEPENDENCIES}, scale.few)
    what = "from starting Python to the first picture of the demo"
    return [
        Row(what, time["picture"], "the same with the garbage collector at work while importing", time["before"], "s"),
        Row(what, time["picture"], "importing torch, transformer_lens and anywidget", time["dependencies"], "s"),
    ]
