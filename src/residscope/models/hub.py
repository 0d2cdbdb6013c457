"""What the Hugging Face hub knows about a name: asked once, quietly, before anything is loaded."""

import difflib
from collections.abc import Iterator

from huggingface_hub import HfApi, constants, try_to_load_from_cache
from transformer_lens.supported_models import MODEL_ALIASES, OFFICIAL_MODEL_NAMES

from residscope.errors import InputError, brief
from residscope.models import smollm2

_UNREACHABLE = {
    "ConnectError",
    "ConnectionError",
    "LocalEntryNotFoundError",
    "OfflineModeIsEnabled",
    "Timeout",
    "TimeoutException",
}
_UNREACHABLE_WORDS = ("offline mode", "couldn't connect", "could not connect", "cannot reach", "max retries")
_UNKNOWN = {"HFValidationError", "RepositoryNotFoundError"}
_UNKNOWN_WORDS = ("is not a local folder", "not a valid model identifier")


def look_up(name: str) -> None:
    """Refuse the name of a model that is neither on this machine nor on the hub; loading it would retry for a minute.

    Raises:
        InputError: for such a name, with similar ones.
    """
    official = _officials().get(name, name)
    try:
        if not isinstance(try_to_load_from_cache(official, "config.json"), str):
            HfApi().model_info(official, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except Exception as error:
        sentence = why_not_there(name, error)
        # Any other failure, such as a busy hub, may pass: loading tries again and says what is wrong.
        if sentence is not None:
            raise InputError("model", sentence) from error


def why_not_there(name: str, error: BaseException) -> str | None:
    """Say why a model could not be loaded from the hub, or return None if the hub is not the reason."""
    causes = list(chain(error))
    kinds = {base.__name__ for cause in causes for base in type(cause).__mro__}
    text = " ".join(map(str, causes)).lower()
    if "GatedRepoError" in kinds:
        return f"{name!r} is gated: accept its terms on the Hugging Face hub and log in (huggingface-cli login)"
    if kinds & _UNREACHABLE or any(words in text for words in _UNREACHABLE_WORDS):
        reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else str(error).partition("\n")[0]
        return (
            f"{name!r} is not on this machine and the Hugging Face hub cannot be reached: "
            f"give a local folder, or 'demo', or try again with a network{_names_like(name)} ({reason})"
        )
    if kinds & _UNKNOWN or any(words in text for words in _UNKNOWN_WORDS):
        return (
            f"there is no model {brief(name)}: give 'demo', a local folder, or a name from the Hugging Face hub, "
            f"logged in if it is private{_names_like(name)}"
        )
    return None


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it came from."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        yield cause
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__


def _names_like(name: str) -> str:
    officials = _officials()
    if name in officials:
        return ""
    lowered = {one.lower(): official for one, official in officials.items()}
    close = difflib.get_close_matches(name.lower(), lowered, cutoff=0.8)
    names = dict.fromkeys(lowered[one] for one in close)
    return f"; similar names are {', '.join(map(repr, names))}" if names else ""


def _officials() -> dict[str, str]:
    """Return the names that can be loaded, those that TransformerLens lists and our own, by these and by short ones."""
    short = {alias: official for official, aliases in MODEL_ALIASES.items() for alias in aliases}
    return short | {official: official for official in (*OFFICIAL_MODEL_NAMES, "demo", smollm2.NAME)}
