"""An experiment: inputs, the worker that runs them, and the selection its views share."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from functools import partial
from typing import Any, Literal

from torch import Tensor

from residscope.errors import InputError, count
from residscope.header import expected_extent, extent_of, header_of
from residscope.inputs.answers import Answers
from residscope.inputs.given_cache import parse_cache
from residscope.inputs.history import History, Past
from residscope.inputs.interventions import AblationKind, Intervention
from residscope.inputs.prompts import Prompts
from residscope.inputs.question import Question
from residscope.inputs.reader import Inputs
from residscope.inputs.target import Target
from residscope.inputs.vocabulary import Names
from residscope.intervening import GESTURES, Change, Intervening, asked_by_browser, asked_for
from residscope.live.feed import Feed
from residscope.live.shared import Extent, Selection, Status
from residscope.live.source import Source
from residscope.live.widget import made_whole
from residscope.live.worker import CLOSED, Ticket
from residscope.models import ActivationCache, PreTrainedModel, TransformerBridge, as_bridge
from residscope.models.twin import one_look
from residscope.runs.runs import Runs, run_all
from residscope.runs.trace import Trace


class Experiment(Intervening):
    """A model, prompts and answers, which run again at each change, and the views that show the run.

    Args:
        model: a `TransformerBridge`, raw or in compatibility mode, such as `rs.load_model` returns, or a Hugging Face
            causal language model, fine-tuned or not, with its `tokenizer=`. It is never changed.
        prompts: a text, chat messages (dicts with a role and a content) or token ids, or a list of one of these. Token
            ids can be an array, one row per prompt, or what a tokenizer returns, with its attention mask; they are used
            as they are, and nothing is prepended. Messages go through the model's chat template, up to the reply.
        answers: `(right, wrong)` for all prompts, one answer alone (its log-probability is explained), or a list with
            one entry per prompt. A side is text, a token id, or a list of them. Text is read as it follows the prompt,
            including its leading space. An array `[row 2]` is one pair per row, two lists `(rights, wrongs)` are
            columns. None explains the model's top token against its second.
        corrupted: one corrupted prompt for each prompt, with as many tokens and in the same form.
        target: a `Target` made by hand, instead of answers; or "logit", to explain one answer alone by its logit rather
            than its log-probability.
        target_position: the position where the target is read; None is each row's last token.
        prepend_bos: whether texts begin with a BOS; None follows the model's own habit.
        chat_template: True puts each text into the model's chat template as a user message; a dict does the same with
            arguments for the template (`{"enable_thinking": False}`, ...); False accepts texts outside it without a
            warning. None applies it to messages alone.
        prefill: the beginning of the chat model's reply, one text for all prompts or a list with one each.
        tokenizer: the tokenizer of a Hugging Face model; later changes to it are followed. None for a model without
            one, whose prompts are token ids.
        mask: for padded token ids, 1 at real tokens; new prompts need a new mask.
        vocabulary: names for the tokens of a model without a tokenizer, a list or a function from id to name.
        interventions: the interventions to start with, such as `[rs.Ablation("L3H0")]`.

    Raises:
        InputError: for the first input that cannot be used, before anything runs.
    """

    @made_whole()
    def __init__(
        self,
        model: TransformerBridge | PreTrainedModel,
        prompts: Prompts,
        answers: Answers | None = None,
        corrupted: Prompts | None = None,
        *,
        target: Target | Literal["logit"] | None = None,
        target_position: int | None = None,
        prepend_bos: bool | None = None,
        chat_template: bool | Mapping[str, Any] | None = None,
        prefill: str | Sequence[str] | None = None,
        tokenizer: Any = None,
        mask: Any = None,
        vocabulary: Names | None = None,
        interventions: Sequence[Intervention] = (),
    ) -> None:
        self._given = model, tokenizer
        self.model = as_bridge(model, tokenizer)
        self._question = Question(
            prompts, answers, corrupted, target, target_position, prepend_bos, chat_template, prefill, mask, vocabulary
        ).changed({"interventions": interventions})
        self._inputs = self._question.parse(self.model)
        me = weakref.ref(self)
        self._feed: Feed[Runs[Trace]] = Feed(
            describe=lambda runs: (header_of(runs.trace), extent_of(runs.trace)),
            expect=lambda: _expected(me),
            around=one_look,
        )
        self._feed.close_with(self)
        self._feed.status.observe(lambda change: _go(me, change["new"]), "_go")
        self._feed.status.observe(lambda change: _intervene(me, change["new"]), "_intervene")
        self._history = History()
        self._run(self._inputs, self._question, self._history.add)

    @classmethod
    def from_cache(
        cls,
        model: TransformerBridge | PreTrainedModel,
        cache: ActivationCache | Mapping[str, Tensor],
        tokens: Any,
        answers: Answers | None = None,
        *,
        mask: Any = None,
        target: Target | None = None,
        target_position: int | None = None,
        tokenizer: Any = None,
        vocabulary: Names | None = None,
    ) -> "Experiment":
        """Show a run you already have, including whatever was done to it.

        The model runs once on these tokens and is compared with the cache, at most 64 cells per activation. If they
        agree, the experiment is like any other, and what the cache lacks is computed. If they differ,
        `trace.cache_mismatch` names the first difference, and the cache's numbers are shown until the prompts change.

        Args:
            model: the model that made the run.
            cache: activations by hook point, with or without a batch axis, padded before or after the tokens.
            tokens: `[row pos]` or `[pos]`, the ids that the cache was made on, or what a tokenizer returned, with its
                attention mask.
            answers: as for any experiment.
            mask: of the tokens' shape, 1 at real tokens; needed where rows are padded.
            target: a `Target` made by hand, instead of answers; positions count within each row's own tokens.
            target_position: the position where the target is read, within each row's own tokens.
            tokenizer: as for any experiment.
            vocabulary: as for any experiment.

        Raises:
            InputError: for a cache, tokens or a mask that do not belong to this model or do not fit each other.
        """
        run = parse_cache(as_bridge(model, tokenizer), cache, tokens, mask)
        prompts = run if run.difference else run.tokens
        read_at: dict[str, Any] = {"target": target, "target_position": target_position}
        return cls(model, prompts, answers, **read_at, tokenizer=tokenizer, vocabulary=vocabulary)

    def __repr__(self) -> str:
        state = "closed" if self._feed.closed else self.trace_or_none or "running"
        return f"<Experiment on {count(len(self._inputs.prompts), 'prompt')}: {state}>"

    @property
    def selection(self) -> Selection:
        """Return the selection that all its views share."""
        return self._feed.selection

    @property
    def status(self) -> Status:
        """Return the progress, failure and history that its views show."""
        return self._feed.status

    @property
    def inputs(self) -> Inputs:
        """Return the newest inputs, tokenised."""
        return self._inputs

    @property
    def question(self) -> Question:
        """Return the newest inputs as the user wrote them, as a copy; arrays are lists."""
        return self._question.copy()

    @property
    def prompts(self) -> tuple[str, ...]:
        """Return the prompts' texts, token ids decoded; assign prompts of any form to run them."""
        return self._inputs.prompts

    @prompts.setter
    def prompts(self, value: Prompts) -> None:
        self.update(prompts=value)

    @property
    def answers(self) -> Any:
        """Return the answers as written; assign new ones to run them."""
        return self.question.answers

    @answers.setter
    def answers(self, value: Answers | None) -> None:
        self.update(answers=value)

    @property
    def interventions(self) -> tuple[Intervention, ...]:
        """Return the current interventions, oldest first, shown as Python code; assign to replace them all."""
        return tuple(self._question.interventions)

    @interventions.setter
    def interventions(self, value: Sequence[Intervention]) -> None:
        self.update(interventions=value)

    @property
    def warnings(self) -> list[str]:
        """Return the warnings about the newest finished run, one sentence each."""
        return self.trace.warnings

    @property
    def target(self) -> Target:
        """Return the number being explained, for the newest inputs; waits for their run."""
        return self.trace.target

    @property
    def trace(self) -> Trace:
        """Return the run of the newest inputs; waits for it, and raises its error if it fails."""
        return self._feed.wait().trace

    @property
    def baseline(self) -> Trace:
        """Return the untouched run of the newest inputs; waits for it."""
        return self._feed.wait().baseline

    @property
    def trace_or_none(self) -> Trace | None:
        """Return the newest finished run, or None; never waits."""
        runs = self._feed.now()
        return None if runs is None else runs.trace

    def wait(self) -> Trace:
        """Wait for the run of the newest inputs; on the worker's own thread, give the run in hand."""
        return self.trace

    def update(self, **changes: Any) -> None:
        """Change several inputs together and run them; with none, run the same inputs again.

        Inputs that cannot be used raise an error and change nothing. A corrupted prompt or answers that no longer fit
        new prompts are dropped and named in `warnings`.

        Raises:
            TypeError: for a name that is not an input.
            InputError: for an input that cannot be used.
        """
        with self._feed.lock:
            self.model = self._model_now()
            inputs, question = self._question.changed(changes).fitted(self.model, changes)
            self._run(inputs, question, self._history.add)

    def run(
        self,
        *,
        ablate: Any = None,
        scale: Any = None,
        steer: Any = None,
        kind: AblationKind = "mean",
        reference: Prompts | None = None,
        **changes: Any,
    ) -> Trace:
        """Return a run of these inputs with the given changes; nothing changes on screen.

        The run keeps the current interventions, unless it is given others, which then replace them all.

        Args:
            ablate: parts to ablate, as for `ablate`.
            scale: parts to multiply, and by what: `("L3H0", 2)` or `{"L3H0": 2, "L2.mlp": 0.5}`.
            steer: the layer, the vector, and what to multiply it by: `(2, vector, 4)`.
            kind: the kind of ablation.
            reference: the prompts to take a mean over.
            changes: inputs, such as `prompts` or `interventions`; `interventions=()` is the untouched run.

        Raises:
            TypeError: for a name that is not an input.
            InputError: for an input that cannot be used.
        """
        named = asked_for(ablate, scale, steer, kind, reference)
        if named is not None:
            if "interventions" in changes:
                raise TypeError("run takes either interventions, or ablate, scale and steer")
            changes["interventions"] = named
        model = self._model_now()
        inputs, question = self._question.changed(changes).fitted(model, changes)
        return run_all(model, inputs, target=question.hand_made, before=self._feed.now()).trace

    def fork(self, **changes: Any) -> "Experiment":
        """Return a separate experiment on the same model, with these inputs and changes and a copy of the selection.

        Its views share nothing with this one's, so two prompts, or two targets, can be shown side by side.

        Raises:
            TypeError: for a name that is not an input.
            InputError: for an input that cannot be used.
        """
        _, question = self._question.changed(changes).fitted(self._model_now(), changes)
        model, tokenizer = self._given
        inputs = {field.name: getattr(question, field.name) for field in fields(question)}
        other = Experiment(model, **inputs, tokenizer=tokenizer)
        other.selection.copy_from(self.selection)
        return other

    @property
    def history(self) -> History:
        """Return the runs so far, oldest first; `history.at` is the index of the current one."""
        return self._history

    def back(self, steps: int = 1) -> None:
        """Go back by this many runs and run those inputs again, like a browser's back button.

        Raises:
            IndexError: when there is no such run.
            RuntimeError: when the experiment is closed.
        """
        self._go(-steps)

    def forward(self, steps: int = 1) -> None:
        """Go forward by this many runs, after `back`, and run those inputs again.

        Raises:
            IndexError: when there is no such run.
            RuntimeError: when the experiment is closed.
        """
        self._go(steps)

    def on_run(self, fn: Callable[[Trace], object]) -> Callable[[], None]:
        """Call fn with each new run, on the worker's thread and without a lock; returns a function that undoes this."""
        return self._feed.on_run(lambda runs: fn(runs.trace))

    def cancel(self) -> None:
        """Stop the current computation, between two layers."""
        self._feed.cancel()

    def close(self) -> None:
        """Stop the worker, release the run and close the shared models; views keep their last picture."""
        self._feed.close()
        self._history = History()

    def _change_interventions(self, change: Change) -> None:
        with self._feed.lock:
            self.update(interventions=change(self.interventions))

    def _model_now(self) -> TransformerBridge:
        """Return the model; if the given Hugging Face model has changed, this is a new bridge."""
        model, tokenizer = self._given
        return as_bridge(model, tokenizer) if isinstance(model, PreTrainedModel) else self.model

    def _run(self, inputs: Inputs, question: Question, remember: Callable[[Past], None]) -> None:
        """Run inputs, and put the run into the history."""
        model, history, feed = self.model, self._history, self._feed

        def make(ticket: Ticket) -> Runs[Trace]:
            step = partial(ticket.step, "layer")
            number, before = ticket.about["run"], feed.now()
            return run_all(model, inputs, target=question.hand_made, number=number, step=step, before=before)

        def made(runs: Runs[Trace]) -> None:
            history.finish(runs.number, runs.trace.target.names, runs.trace.target_value.tolist())

        with feed.lock:
            feed.run(make, made)
            self._inputs, self._question = inputs, question
            remember(Past(feed.number, inputs.prompts, question))
            feed.status._history = {"at": history.at, "of": len(history)}

    def _go(self, steps: int) -> None:
        """Run the inputs this many steps further on in the history."""
        with self._feed.lock:
            if self._feed.closed:
                raise RuntimeError(CLOSED)
            to = self._history.at + steps
            if not 0 <= to < len(self._history):
                raise IndexError(f"there is no run there: the history has runs 0 to {len(self._history) - 1}")
            question = self._history[to].question
            self.model = self._model_now()
            self._run(question.parse(self.model), question, lambda run: self._history.move(to, run))


def source_of(experiment: Experiment) -> Source[Runs[Trace]]:
    """Return what the views of an experiment follow."""
    return experiment._feed


def _expected(reference: "weakref.ref[Experiment]") -> Extent | None:
    """Return how far a selection reaches in the run of the newest inputs, whether or not it has ended."""
    experiment = reference()
    return None if experiment is None else expected_extent(experiment.model, experiment.inputs)


def _go(reference: "weakref.ref[Experiment]", asked: Any) -> None:
    """Go where the browser's buttons point; that run may no longer exist."""
    experiment = reference()
    if experiment is not None and type(asked) is dict and type(asked.get("to")) is int:
        with experiment._feed.lock, suppress(IndexError, RuntimeError):
            experiment._go(asked["to"] - experiment.history.at)


def _intervene(reference: "weakref.ref[Experiment]", asked: Any) -> None:
    """Switch parts off or on as the browser asks; if that is not possible, every view says why."""
    experiment = reference()
    if experiment is None or type(asked) is not dict or asked.get("do") not in GESTURES:
        return
    try:
        with suppress(RuntimeError):  # the experiment is closed
            experiment._change_interventions(lambda before: asked_by_browser(before, asked))
    except InputError as error:
        experiment._feed.tell(str(error))
