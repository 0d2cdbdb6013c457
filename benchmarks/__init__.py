"""What residscope costs beside what people use today: `make bench`, or `python -m benchmarks [name ...]`."""

import os

# torch reads these when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
# Else the profiler that counts memory writes of itself.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
