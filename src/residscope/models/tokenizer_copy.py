"""A private copy of the user's tokenizer, replaced when theirs has changed."""

import copy
import threading
from typing import Any

_SAMPLES = 64
_PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
# TransformerLens and transformers set these for the length of a call, and they change no token.
_PASSING = ("padding_side", "truncation_side", "model_max_length", "verbose", "_in_target_context_manager")
_PLAIN = (bool, int, float, str, type(None))


class TokenizerCopy:
    """Holds the copy: a call with padding or truncation changes the tokenizer it is made on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._original: Any = None
        self._settings: list[Any] = []
        self._copy: Any = None

    def of(self, original: Any) -> Any:
        """Return a copy of this tokenizer as it is now; the same copy as before if nothing has changed.

        An exchange of vocabulary entries is noticed where it meets a sample of 64.
        """
        with self._lock:
            settings = _settings_of(original)
            if self._original is not original or self._settings != settings:
                self._copy = copy.deepcopy(original)
                self._original, self._settings = original, settings
            return self._copy


def _settings_of(tokenizer: Any) -> list[Any]:
    """Return what decides how text becomes tokens, to be compared; it takes a tenth of a millisecond."""
    if tokenizer is None:
        return []
    plain = {name: value for name, value in vars(tokenizer).items() if type(value) in _PLAIN and name not in _PASSING}
    size = len(tokenizer)
    sample = tokenizer.convert_ids_to_tokens(list(range(0, size, size // _SAMPLES + 1)))
    added = {token: repr(entry) for token, entry in tokenizer.added_tokens_decoder.items()}
    named = dict(tokenizer.special_tokens_map), list(tokenizer.all_special_tokens), copy.copy(tokenizer.chat_template)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return [plain, size, sample, added, named]
    parts = [part and part.__getstate__() for part in (getattr(backend, name) for name in _PARTS)]
    model = {name: getattr(backend.model, name) for name in dir(backend.model) if name[0] != "_"}
    model = {name: value for name, value in model.items() if type(value) in _PLAIN}
    return [plain, size, sample, added, named, parts, type(backend.model), model]
