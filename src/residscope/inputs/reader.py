"""Prompts, answers and their tokens, checked before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from residscope.errors import InputError, brief, count, whole_number
from residscope.inputs.answers import AnswerPair, Answers, form_note, parse_answers
from residscope.inputs.encoding import Encoded, Encoding, Settings
from residscope.inputs.interventions import Asked
from residscope.inputs.padding import as_rows, padding_note, unpacked
from residscope.inputs.prompts import Form, Prompts, form_of, parse_prompts, plain, written
from residscope.inputs.target import Alone, Target
from residscope.inputs.vocabulary import Span, Vocabulary
from residscope.models.cached import CachedRun
from residscope.models.demo import is_demo, unknown_words


@dataclass(frozen=True)
class Inputs:
    """An experiment's inputs, tokenised and checked.

    Attributes:
        prompts: the prompts' texts, one per row: the last user message of a chat; token ids decoded, without a leading
            BOS.
        tokens: each row's token ids, including a prepended BOS and the tokens that its answers share.
        vocabulary: the names of the tokens.
        answers: one pair per row, or None for the model's own top two.
        alone: what explains a right answer alone: its log-probability or its logit.
        corrupted: the corrupted prompts' texts, or None.
        corrupted_tokens: their token ids, each as long as its prompt's.
        target_position: where the target is read; negative counts from the end, None is each row's last token.
        bos: the prepended token's id, or None.
        bos_policy: what decided whether to prepend it: "the model's habit", "prepend_bos=True", "chat template", ...
        template: for each row, the ranges `[start, end)` of tokens that the chat template added; empty where they
            cannot be told from the user's.
        prefills: the beginning of the reply to each prompt, or None where no chat template is used.
        form: how the prompts were written: "texts", "messages" or "ids".
        cached: activations to read instead of a run, where they differ from the model's own.
        interventions: the interventions, oldest first.
        warnings: what the user should know, one sentence each.
    """

    prompts: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    vocabulary: Vocabulary = field(repr=False, compare=False)
    answers: tuple[AnswerPair, ...] | None = None
    alone: Alone = "log-probability"
    corrupted: tuple[str, ...] | None = None
    corrupted_tokens: tuple[tuple[int, ...], ...] | None = None
    target_position: int | None = None
    bos: int | None = None
    bos_policy: str = "the model's habit"
    template: tuple[tuple[Span, ...], ...] = ()
    prefills: tuple[str, ...] | None = None
    form: Form = "texts"
    cached: CachedRun | None = None
    interventions: tuple[Asked, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def positions(self) -> tuple[int, ...]:
        """Return the position each row's target is read at."""
        if self.target_position is None:
            return tuple(len(row) - 1 for row in self.tokens)
        return tuple(self.target_position % len(row) for row in self.tokens)


_AS_CACHED = (
    "As cached: {}. These numbers come from the cache, read with this model's weights; new prompts run on the model."
)


_SPACE = (
    "A prompt ends in a space, which is a token of its own here, so the target is read after it: end the prompt before "
    "the space, and begin the answers with it."
)


class Reader:
    """Turns what a user writes into `Inputs` for one model."""

    def __init__(self, model: Any, settings: Settings | None = None) -> None:
        self._encoding = Encoding(model, settings or Settings())
        self._vocabulary = self._encoding.vocabulary
        self._is_demo = is_demo(model)

    def parse(
        self,
        prompts: Prompts,
        answers: Answers | None,
        corrupted: Prompts | None,
        target_position: int | None,
        alone: Alone = "log-probability",
        mask: Any = None,
    ) -> Inputs:
        """Check and tokenise all inputs together.

        Raises:
            InputError: for the first input that cannot be used.
        """
        rows = parse_prompts("prompts", prompts, mask)
        form = form_of(rows[0])
        self._encoding.check(form)
        own = self._encoding.rows("prompts", rows)
        answers = plain(answers)
        pairs = None if answers is None else parse_answers(self._vocabulary, answers, [row.text for row in own])
        if alone == "logit" and (pairs is None or pairs[0].wrong is not None):
            raise InputError(
                "target", 'target="logit" explains one answer alone: give answers=" right" and no wrong answer'
            )
        shared = [pair.shared for pair in pairs] if pairs else [()] * len(rows)
        if any(shared) and target_position is not None:
            raise InputError(
                "target_position", "answers that share their first tokens are read after them: use target_position=None"
            )
        cached = prompts if isinstance(prompts, CachedRun) else None
        if any(shared) and cached is not None:
            raise InputError(
                "answers",
                "answers that share their first tokens are read after them, and the cache ends before: give answers "
                "that differ at their first token",
            )
        encoded = self._encoding.continued("prompts", own, shared)
        tokens = tuple(row.ids for row in encoded)
        cache_mismatch = [] if cached is None else [_AS_CACHED.format(cached.difference)]
        notes = dict.fromkeys((form_note(answers, len(rows)), *(pair.note for pair in pairs or ())))
        inputs = Inputs(
            prompts=tuple(map(self._encoding.text_of, rows)),
            tokens=tokens,
            vocabulary=self._vocabulary,
            answers=pairs,
            alone=alone,
            target_position=_checked_position(target_position, tokens),
            bos=self._encoding.bos_of(form),
            bos_policy=self._encoding.policy_of(form),
            template=tuple(row.template for row in encoded),
            prefills=self._encoding.prefills_of(form, len(rows)),
            form=form,
            cached=cached,
        )
        _, mask = unpacked(prompts, mask)
        written_so = self._warnings_of_writing(own, form, masked=mask is not None)
        warnings = (*cache_mismatch, *filter(None, notes), *written_so, *self._warnings(inputs))
        inputs = replace(inputs, warnings=warnings)
        return inputs if corrupted is None else self._with_corrupted(inputs, corrupted, shared, mask)

    def edited(self, prompts: Prompts, texts: Sequence[str], mask: Any = None) -> Prompts:
        """Return prompts with other texts, in the form they were written in.

        An unchanged text keeps its tokens. A chat keeps its other messages, and token ids keep a leading BOS.

        Args:
            prompts: as they were written.
            texts: the texts of `Inputs.prompts`, edited; there may be more or fewer.
            mask: for token ids; padding is left out.
        """
        rows = parse_prompts("prompts", prompts, mask)
        sources = _sources([self._encoding.text_of(row) for row in rows], texts)
        return [written(self._encoding.edited(rows[row], text)) for row, text in zip(sources, texts, strict=True)]

    def tokens_of(self, prompts: Prompts) -> tuple[tuple[int, ...], ...]:
        """Return the tokens of prompts that an intervention reads, written in any form.

        Raises:
            InputError: for prompts that cannot be used.
        """
        try:
            return tuple(row.ids for row in self._encoding.rows("prompts", parse_prompts("prompts", prompts)))
        except InputError as error:
            raise InputError("interventions", str(error)) from None

    def check_target(self, target: Target, inputs: Inputs) -> None:
        """Refuse a target made by hand that does not fit the prompts."""
        if len(target.positions) != len(inputs.tokens) or not target.is_one_a_row:
            raise InputError(
                "target",
                f"the target has {count(len(target.positions), 'term')} for {count(len(inputs.tokens), 'prompt')}: "
                "give one position, right and wrong answer per prompt",
            )
        for position, row in zip(target.positions, inputs.tokens, strict=True):
            if not 0 <= position < len(row):
                raise InputError(
                    "target", f"the target is read at {position}: this row has positions 0 to {len(row) - 1}"
                )
        for answer in (*target.right, *(target.wrong or ())):
            self._vocabulary.check("target", answer.ids)

    def _with_corrupted(self, inputs: Inputs, corrupted: Prompts, shared: Sequence[Sequence[int]], mask: Any) -> Inputs:
        rows = parse_prompts("corrupted", corrupted)
        # If padded like the prompts, they share the prompts' mask; they may also have their own, or no padding.
        _, own_mask = unpacked(corrupted, None)
        lengths = [len(row) for row in rows if isinstance(row, tuple)]
        if mask is not None and own_mask is None and lengths == list(map(len, as_rows(mask))):
            rows = parse_prompts("corrupted", corrupted, mask)
        if len(rows) != len(inputs.prompts):
            raise InputError(
                "corrupted",
                f"{count(len(rows), 'corrupted prompt')} for {count(len(inputs.prompts), 'prompt')}: give one for each",
            )
        if form_of(rows[0]) != inputs.form:
            raise InputError("corrupted", "corrupted and prompts have different forms: give both in the same form")
        encoded = self._encoding.continued("corrupted", self._encoding.rows("corrupted", rows), shared)
        tokens = tuple(row.ids for row in encoded)
        for clean, broken in zip(inputs.tokens, tokens, strict=True):
            if len(clean) != len(broken):
                raise InputError("corrupted", self._unequal(clean, broken))
        return replace(inputs, corrupted=tuple(map(self._encoding.text_of, rows)), corrupted_tokens=tokens)

    def _unequal(self, clean: Sequence[int], broken: Sequence[int]) -> str:
        pairs = zip(clean, broken, strict=False)
        first = next((at for at, (ours, theirs) in enumerate(pairs) if ours != theirs), None)
        where = "one begins with the other" if first is None else f"they first differ at position {first}"
        at = min(len(clean), len(broken)) if first is None else first
        return (
            f"a corrupted prompt has {count(len(broken), 'token')} and its prompt has {len(clean)}: {where}, "
            f"{self._vocabulary.split(broken, at)} against {self._vocabulary.split(clean, at)}; "
            "make them equally long"
        )

    def _warnings_of_writing(self, own: Sequence[Encoded], form: Form, *, masked: bool) -> list[str]:
        """Warn of prompts that are rarely meant as written: with padding, or with a space at the end."""
        vocabulary, padding = self._vocabulary, ""
        if form == "ids" and not masked and vocabulary.pad is not None:
            name = repr(vocabulary.decode(vocabulary.pad))
            padding = padding_note([row.ids for row in own], vocabulary.pad, vocabulary.bos, name)
        space = _SPACE if self._encoding.ends_in_space(form, own) else ""
        return [note for note in (padding, space) if note]

    def _warnings(self, inputs: Inputs) -> list[str]:
        warnings = []
        bos, tokenizer = inputs.bos, self._encoding.tokenizer
        own_bos = tokenizer and tokenizer.init_kwargs.get("bos_token")
        if bos is not None and own_bos is None and bos in (tokenizer.eos_token_id, tokenizer.pad_token_id):
            warnings.append(
                f"The prepended BOS is {tokenizer.decode([bos])!r}, which this model uses to end or pad texts; "
                "prepend_bos=False leaves it out."
            )
        if bos is not None and any(row[1:2] == (bos,) for row in inputs.tokens):
            warnings.append(
                f"A prompt already begins with {tokenizer.decode([bos])!r}, and another was prepended; "
                "prepend_bos=False leaves out the second."
            )
        if self._encoding.forgets_template(inputs.form) and not self._holds_specials(inputs):
            warnings.append(
                "This model has a chat template, and the prompt does not use it: chat_template=True applies it, "
                "chat_template=False accepts the prompt as it is."
            )
        # Token ids are not text: the user did not write the words that they decode to.
        if self._is_demo and inputs.form != "ids":
            unknown = dict.fromkeys(word for text in inputs.prompts for word in unknown_words(tokenizer, text))
            if unknown:
                warnings.append(
                    f"The demo model does not know {', '.join(repr(word) for word in unknown)} and reads it badly, "
                    "byte by byte; rs.presets() has prompts that it knows."
                )
        return warnings

    def _holds_specials(self, inputs: Inputs) -> bool:
        """Tell whether the texts themselves contain special tokens, such as a template's."""
        return any(self._vocabulary.special_ids.intersection(row[1:]) for row in inputs.tokens)


def _sources(before: Sequence[str], texts: Sequence[str]) -> list[int]:
    """Return the row that each edited text comes from: its own, or the one of the same text where rows came or went."""
    if len(texts) == len(before):
        return list(range(len(texts)))
    return [before.index(text) if text in before else min(row, len(before) - 1) for row, text in enumerate(texts)]


def _checked_position(value: Any, tokens: Sequence[Sequence[int]]) -> int | None:
    if value is None:
        return None
    shortest, position = min(len(row) for row in tokens), whole_number(value)
    if position is None or not -shortest <= position < shortest:
        raise InputError(
            "target_position",
            f"target_position {brief(value)} is not in every row: give {-shortest} to {shortest - 1}, or None for the "
            "last token",
        )
    return position
