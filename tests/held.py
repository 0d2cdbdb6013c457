"""Which widgets and workers' threads there are, for tests of what is left behind.

A test compares what there is afterwards with what there was before: what earlier tests have left may go meanwhile, so
numbers tell nothing.
"""

import threading

from ipywidgets.widgets import widget


def held():
    """Return all widgets that ipywidgets holds, by name, and all workers' threads that go on."""
    threads = [thread for thread in threading.enumerate() if thread.name == "residscope"]
    for thread in threads:
        thread.join(0.2)  # one that was told to end
    return set(widget._instances) | {thread for thread in threads if thread.is_alive()}
