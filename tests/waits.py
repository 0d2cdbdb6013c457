"""How long a test waits for something before it gives up."""

LONGEST = 120
"""Seconds, for what comes within one or two on an idle machine; pytest's own limit, in pyproject.toml, is longer."""
