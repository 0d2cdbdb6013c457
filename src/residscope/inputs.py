"""Prompts, answers and their tokens, checked before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from residscope.answers import AnswerPair, Answers, read_answers
from residscope.models import twin_of
from residscope.models.demo import is_demo, unknown_words
from residscope.target import Target
from residscope.vocabulary import InputError, Vocabulary


@dataclass(frozen=True)
class Inputs:
    """What an experiment is asked, tokenised and checked.

    Attributes:
        prompts: the prompts' texts, one a row.
        tokens: each row's token ids, with the BOS where one is prepended, and the tokens that its answers share.
        answers: one pair a row, or None for the model's own top two.
        corrupted: the corrupted prompts' texts, or None.
        corrupted_tokens: their token ids, each as long as its prompt's.
        target_position: where the target is read, from the end where negative, or None for each row's last token.
        bos: the prepended token's id, or None.
        chat_template: whether prompts were put into the model's chat template.
        warnings: what the reader should know, one sentence each.
    """

    prompts: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    answers: tuple[AnswerPair, ...] | None = None
    corrupted: tuple[str, ...] | None = None
    corrupted_tokens: tuple[tuple[int, ...], ...] | None = None
    target_position: int | None = None
    bos: int | None = None
    chat_template: bool = False
    warnings: tuple[str, ...] = field(default=())

    @property
    def positions(self) -> tuple[int, ...]:
        """Return the position each row's target is read at."""
        if self.target_position is None:
            return tuple(len(row) - 1 for row in self.tokens)
        return tuple(self.target_position % len(row) for row in self.tokens)


class Reader:
    """Turns what a user writes into `Inputs` for one model."""

    def __init__(self, model: Any, prepend_bos: bool | None, chat_template: bool) -> None:
        if model.tokenizer is None:
            raise InputError("model", "the model has no tokenizer: boot it with tokenizer=...")
        self._tokenizer = twin_of(model).tokenizer
        self._vocabulary = Vocabulary(self._tokenizer, int(model.cfg.d_vocab))
        self._n_ctx = int(model.cfg.n_ctx)
        self._is_demo = is_demo(model)
        self._chat_template = _checked_flag("chat_template", chat_template)
        self.bos = None if chat_template else self._chosen_bos(model, prepend_bos)
        if chat_template and not self._tokenizer.chat_template:
            raise InputError("chat_template", "this model has no chat template: use chat_template=False")

    def read(
        self,
        prompts: str | Sequence[str],
        answers: Answers | None,
        corrupted: str | Sequence[str] | None,
        target_position: int | None,
    ) -> Inputs:
        """Check and tokenise all inputs together.

        Raises:
            InputError: for the first input that cannot be used.
        """
        texts = _texts("prompts", prompts)
        pairs = None if answers is None else read_answers(self._vocabulary, answers, len(texts))
        shared = [pair.shared for pair in pairs] if pairs else [()] * len(texts)
        if any(shared) and target_position is not None:
            raise InputError(
                "target_position", "answers that begin alike are read after what they share: use target_position=None"
            )
        tokens = tuple(self._tokens("prompts", text, more) for text, more in zip(texts, shared, strict=True))
        notes = dict.fromkeys(pair.note for pair in pairs or () if pair.note)
        inputs = Inputs(
            prompts=texts,
            tokens=tokens,
            answers=pairs,
            target_position=_checked_position(target_position, tokens),
            bos=self.bos,
            chat_template=self._chat_template,
            warnings=(*notes, *self._warnings(texts, tokens)),
        )
        return inputs if corrupted is None else self._with_corrupted(inputs, corrupted, shared)

    def check_target(self, target: Target, inputs: Inputs) -> None:
        """Refuse a target made by hand that does not fit the prompts."""
        if len(target.positions) != len(inputs.tokens):
            raise InputError(
                "target",
                f"the target has {len(target.positions)} rows and there are {len(inputs.tokens)} prompts: "
                "give one position, right and wrong answer a prompt",
            )
        for position, row in zip(target.positions, inputs.tokens, strict=True):
            if not 0 <= position < len(row):
                raise InputError(
                    "target", f"the target is read at {position}: this row has positions 0 to {len(row) - 1}"
                )
        for answer in (*target.right, *(target.wrong or ())):
            self._vocabulary.check("target", answer.ids)

    def _chosen_bos(self, model: Any, prepend_bos: bool | None) -> int | None:
        if prepend_bos is not None:
            _checked_flag("prepend_bos", prepend_bos)
        bos: int | None = self._tokenizer.bos_token_id
        if prepend_bos and bos is None:
            raise InputError("prepend_bos", "this tokenizer has no BOS token: use prepend_bos=False")
        wanted = model.cfg.default_prepend_bos if prepend_bos is None else prepend_bos
        return bos if wanted else None

    def _tokens(self, field: str, text: str, more: Sequence[int]) -> tuple[int, ...]:
        if not text:
            raise InputError(field, f"an empty text in {field}: give at least one token")
        if self._chat_template:
            text = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
            )
        ids = [*([] if self.bos is None else [self.bos]), *self._vocabulary.encode(field, text), *more]
        if not ids:
            raise InputError(field, f"a text in {field} is no token at all: give at least one token")
        if len(ids) > self._n_ctx:
            raise InputError(
                field, f"{len(ids)} tokens in {field}, and this model reads at most {self._n_ctx}: shorten the text"
            )
        self._vocabulary.check(field, ids)
        return tuple(ids)

    def _with_corrupted(
        self, inputs: Inputs, corrupted: str | Sequence[str], shared: Sequence[Sequence[int]]
    ) -> Inputs:
        texts = _texts("corrupted", corrupted)
        if len(texts) != len(inputs.prompts):
            raise InputError(
                "corrupted", f"{len(texts)} corrupted prompts for {len(inputs.prompts)} prompts: give one for each"
            )
        tokens = tuple(self._tokens("corrupted", text, more) for text, more in zip(texts, shared, strict=True))
        for row, corrupted_row in zip(inputs.tokens, tokens, strict=True):
            if len(row) != len(corrupted_row):
                raise InputError(
                    "corrupted",
                    f"a corrupted prompt has {len(corrupted_row)} tokens and its prompt {len(row)}: "
                    f"{self._vocabulary.split(corrupted_row)} against {self._vocabulary.split(row)}; make them as long",
                )
        return replace(inputs, corrupted=texts, corrupted_tokens=tokens)

    def _warnings(self, texts: Sequence[str], tokens: Sequence[Sequence[int]]) -> list[str]:
        warnings = []
        tokenizer = self._tokenizer
        own_bos = tokenizer.init_kwargs.get("bos_token")
        if self.bos is not None and own_bos is None and self.bos in (tokenizer.eos_token_id, tokenizer.pad_token_id):
            warnings.append(
                f"The prepended BOS is {tokenizer.decode([self.bos])!r}, which ends or pads texts in this model; "
                "prepend_bos=False leaves it out."
            )
        if self.bos is not None and any(row[1:2] == (self.bos,) for row in tokens):
            warnings.append(
                f"A prompt begins with {tokenizer.decode([self.bos])!r} of its own and another was prepended; "
                "prepend_bos=False leaves the second out."
            )
        if self._is_demo:
            unknown = dict.fromkeys(word for text in texts for word in unknown_words(tokenizer, text))
            if unknown:
                warnings.append(
                    f"The demo model does not know {', '.join(repr(word) for word in unknown)} and reads it byte by "
                    "byte, which it does poorly; rs.presets() has prompts it knows."
                )
        return warnings


def spelling_warnings(inputs: Inputs, logits: Float[Tensor, "row d_vocab"], tokenizer: Any) -> list[str]:
    """Warn of right answers whose other spelling, with or without a leading space, is at least 20 times likelier."""
    warnings: dict[str, None] = {}
    for row, pair in enumerate(inputs.answers or ()):
        if len(pair.right.ids) != 1 or pair.note:
            continue
        (right,) = pair.right.ids
        text = tokenizer.decode([right])
        other = text[1:] if text.startswith(" ") else f" {text}"
        ids = tokenizer(other, add_special_tokens=False)["input_ids"] if other else []
        if len(ids) != 1:
            continue
        ratio = float(torch.exp((logits[row, ids[0]] - logits[row, right]).double()))
        if ratio >= 20:
            warnings[f"{other!r} is {ratio:,.0f} times likelier than {text!r} here: is that the answer meant?"] = None
    return list(warnings)


def _texts(field: str, value: Any) -> tuple[str, ...]:
    texts = tuple(value) if isinstance(value, list | tuple) else (value,)
    for text in texts:
        if not isinstance(text, str):
            raise InputError(field, f"{field} is a text or a list of texts, and {text!r:.80} is neither")
    if not texts:
        raise InputError(field, f"no text in {field}: give at least one")
    return texts


def _checked_flag(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(field, f"{field} is True or False, not {value!r}")
    return value


def _checked_position(value: Any, tokens: Sequence[Sequence[int]]) -> int | None:
    if value is None:
        return None
    shortest = min(len(row) for row in tokens)
    if not isinstance(value, int) or isinstance(value, bool) or not -shortest <= value < shortest:
        raise InputError(
            "target_position",
            f"target_position {value!r} is not in every row: give {-shortest} to {shortest - 1}, or None for the last",
        )
    return value
