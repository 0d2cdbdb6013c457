"""What the browser needs to know about a view before any run: its title, its help and its menus."""

import re
from collections.abc import Iterable
from typing import Any, Protocol

from residscope.fixed import Fixed
from residscope.live.source import Source


class Described(Protocol):
    """A view with the texts and traits of its class."""

    title: Any
    help: Any

    def traits(self) -> dict[str, Any]:
        """Return its traits by name."""


def described(view: Described, menus: Iterable[str], source: Source[Any] | Fixed) -> dict[str, Any]:
    """Return the texts of a view's class, and a menu for each of some traits.

    Args:
        view: a view of the class.
        menus: the traits that the user chooses from, enumerations with a label.
        source: what the view follows; given quantities can have a title of their own.
    """
    own = source.now().trace.title if isinstance(source, Fixed) else ""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", type(view).__name__).capitalize()
    traits = {name: view.traits()[name] for name in menus}
    return {
        "title": view.title or own or words,
        "help": [view.help] if isinstance(view.help, str) else list(view.help),
        "menus": [
            {
                "trait": name,
                "label": trait.metadata["label"],
                "options": list(trait.values),
                "unless": trait.metadata.get("unless"),
            }
            for name, trait in traits.items()
        ],
    }
