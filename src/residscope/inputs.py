"""Prompts, answers and their tokens, checked before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from residscope.answers import AnswerPair, Answers, read_answers
from residscope.models import twin_of
from residscope.models.cached import CachedRun
from residscope.models.demo import is_demo, unknown_words
from residscope.prompts import Form, Prompts, Row, form_of, read_prompts
from residscope.target import Target
from residscope.vocabulary import InputError, Vocabulary, brief


@dataclass(frozen=True)
class Inputs:
    """What an experiment is asked, tokenised and checked.

    Attributes:
        prompts: the prompts' texts, one a row; token ids decoded, without a BOS that they begin with.
        tokens: each row's token ids, with the BOS where one is prepended, and the tokens that its answers share.
        answers: one pair a row, or None for the model's own top two.
        corrupted: the corrupted prompts' texts, or None.
        corrupted_tokens: their token ids, each as long as its prompt's.
        target_position: where the target is read, from the end where negative, or None for each row's last token.
        bos: the prepended token's id, or None.
        chat_template: whether prompts were put into the model's chat template.
        form: what the prompts were written as: "texts" or "ids".
        cached: the activations to be read in place of a run, where they are not what the model does.
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
    form: Form = "texts"
    cached: CachedRun | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def positions(self) -> tuple[int, ...]:
        """Return the position each row's target is read at."""
        if self.target_position is None:
            return tuple(len(row) - 1 for row in self.tokens)
        return tuple(self.target_position % len(row) for row in self.tokens)


_AS_CACHED = (
    "As cached: {}. These numbers are the cache's, read with this model's weights; new prompts are run by the model."
)


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
        self._prepend_bos = prepend_bos
        self._bos = None if chat_template else self._chosen_bos(model, prepend_bos)
        if chat_template and not self._tokenizer.chat_template:
            raise InputError("chat_template", "this model has no chat template: use chat_template=False")

    def read(
        self,
        prompts: Prompts,
        answers: Answers | None,
        corrupted: Prompts | None,
        target_position: int | None,
    ) -> Inputs:
        """Check and tokenise all inputs together.

        Raises:
            InputError: for the first input that cannot be used.
        """
        rows = read_prompts("prompts", prompts)
        form = form_of(rows[0])
        self._check_settings(form)
        pairs = None if answers is None else read_answers(self._vocabulary, answers, len(rows))
        shared = [pair.shared for pair in pairs] if pairs else [()] * len(rows)
        if any(shared) and target_position is not None:
            raise InputError(
                "target_position", "answers that begin alike are read after what they share: use target_position=None"
            )
        cached = prompts if isinstance(prompts, CachedRun) else None
        if any(shared) and cached is not None:
            raise InputError(
                "answers",
                "answers that begin alike are read after what they share, and the cache does not go on there: give "
                "answers that differ at their first token",
            )
        tokens = tuple(self._tokens("prompts", row, more) for row, more in zip(rows, shared, strict=True))
        texts = tuple(map(self._text, rows))
        bos = None if form == "ids" else self._bos
        as_cached = [] if cached is None else [_AS_CACHED.format(cached.difference)]
        notes = dict.fromkeys(pair.note for pair in pairs or () if pair.note)
        inputs = Inputs(
            prompts=texts,
            tokens=tokens,
            answers=pairs,
            target_position=_checked_position(target_position, tokens),
            bos=bos,
            chat_template=self._chat_template,
            form=form,
            cached=cached,
            warnings=(*as_cached, *notes, *self._warnings(bos, texts, tokens)),
        )
        return inputs if corrupted is None else self._with_corrupted(inputs, corrupted, shared)

    def edited(self, prompts: Prompts, texts: Sequence[str]) -> Prompts:
        """Return prompts with other texts, in the form they were written in.

        A text that is as it was keeps its tokens. Of token ids that begin with a BOS, it stays.

        Args:
            prompts: as they were written.
            texts: what `Inputs.prompts` says of them, edited; there may be more or fewer.
        """
        rows = read_prompts("prompts", prompts)
        before = [self._text(row) for row in rows]
        sources = _sources(before, texts)
        return [self._edited(rows[row], before[row], text) for row, text in zip(sources, texts, strict=True)]

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

    def _check_settings(self, form: Form) -> None:
        if form == "ids" and (self._chat_template or self._prepend_bos):
            setting = "chat_template" if self._chat_template else "prepend_bos"
            raise InputError(setting, f"token ids are taken as they are: leave {setting} out, or give texts")

    def _tokens(self, field: str, row: Row, more: Sequence[int]) -> tuple[int, ...]:
        ids = (*(row if isinstance(row, tuple) else self._encoded(field, row)), *more)
        if not ids:
            raise InputError(field, f"a text in {field} is no token at all: give at least one token")
        if len(ids) > self._n_ctx:
            raise InputError(
                field, f"{len(ids)} tokens in {field}, and this model reads at most {self._n_ctx}: shorten the text"
            )
        self._vocabulary.check(field, ids)
        return ids

    def _encoded(self, field: str, text: str) -> tuple[int, ...]:
        if self._chat_template:
            text = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
            )
        return (*(() if self._bos is None else (self._bos,)), *self._vocabulary.encode(field, text))

    def _text(self, row: Row) -> str:
        return row if isinstance(row, str) else self._vocabulary.decode(*row[len(self._own_bos(row)) :])

    def _own_bos(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        return ids[:1] if ids[0] == self._tokenizer.bos_token_id else ()

    def _edited(self, row: Row, before: str, text: str) -> Row:
        if isinstance(row, str):
            return text
        return row if text == before else (*self._own_bos(row), *self._vocabulary.encode("prompts", text))

    def _with_corrupted(self, inputs: Inputs, corrupted: Prompts, shared: Sequence[Sequence[int]]) -> Inputs:
        rows = read_prompts("corrupted", corrupted)
        if len(rows) != len(inputs.prompts):
            raise InputError(
                "corrupted", f"{len(rows)} corrupted prompts for {len(inputs.prompts)} prompts: give one for each"
            )
        if form_of(rows[0]) != inputs.form:
            raise InputError("corrupted", "corrupted is of another form than prompts: give both as texts, or as ids")
        tokens = tuple(self._tokens("corrupted", row, more) for row, more in zip(rows, shared, strict=True))
        for clean, broken in zip(inputs.tokens, tokens, strict=True):
            if len(clean) != len(broken):
                raise InputError("corrupted", self._unequal(clean, broken))
        return replace(inputs, corrupted=tuple(map(self._text, rows)), corrupted_tokens=tokens)

    def _unequal(self, clean: Sequence[int], broken: Sequence[int]) -> str:
        pairs = zip(clean, broken, strict=False)
        first = next((at for at, (ours, theirs) in enumerate(pairs) if ours != theirs), None)
        where = "one begins with the other" if first is None else f"they first differ at position {first}"
        at = min(len(clean), len(broken)) if first is None else first
        return (
            f"a corrupted prompt has {len(broken)} tokens and its prompt {len(clean)}: {where}, "
            f"{self._vocabulary.split(broken, at)} against {self._vocabulary.split(clean, at)}; make them as long"
        )

    def _warnings(self, bos: int | None, texts: Sequence[str], tokens: Sequence[Sequence[int]]) -> list[str]:
        warnings = []
        tokenizer = self._tokenizer
        own_bos = tokenizer.init_kwargs.get("bos_token")
        if bos is not None and own_bos is None and bos in (tokenizer.eos_token_id, tokenizer.pad_token_id):
            warnings.append(
                f"The prepended BOS is {tokenizer.decode([bos])!r}, which ends or pads texts in this model; "
                "prepend_bos=False leaves it out."
            )
        if bos is not None and any(row[1:2] == (bos,) for row in tokens):
            warnings.append(
                f"A prompt begins with {tokenizer.decode([bos])!r} of its own and another was prepended; "
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


def _sources(before: Sequence[str], texts: Sequence[str]) -> list[int]:
    """Tell which row each edited text was: its own, or, where rows came or went, the one of the same text."""
    if len(texts) == len(before):
        return list(range(len(texts)))
    return [before.index(text) if text in before else min(row, len(before) - 1) for row, text in enumerate(texts)]


def _checked_flag(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(field, f"{field} is True or False, not {brief(value)}")
    return value


def _checked_position(value: Any, tokens: Sequence[Sequence[int]]) -> int | None:
    if value is None:
        return None
    shortest = min(len(row) for row in tokens)
    if not isinstance(value, int) or isinstance(value, bool) or not -shortest <= value < shortest:
        raise InputError(
            "target_position",
            f"target_position {brief(value)} is not in every row: give {-shortest} to {shortest - 1}, or None for the "
            "last",
        )
    return value
