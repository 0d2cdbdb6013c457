"""An experiment: inputs, the worker that runs them, and the selection its views share."""

import logging
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from typing import Any, Literal, Protocol

from torch import Tensor

from residscope.errors import count
from residscope.header import extent_of, header_of
from residscope.inputs.answers import Answers
from residscope.inputs.given_cache import parse_cache
from residscope.inputs.history import History, Past
from residscope.inputs.prompts import Prompts
from residscope.inputs.question import Question
from residscope.inputs.reader import Inputs
from residscope.inputs.target import Target
from residscope.inputs.vocabulary import Names
from residscope.live.shared import Selection, Status
from residscope.live.widget import Widget
from residscope.live.wire import text
from residscope.live.worker import CLOSED, Cancelled, Replaced, Ticket, Worker
from residscope.models import ActivationCache, PreTrainedModel, TransformerBridge, as_bridge
from residscope.runs.trace import Trace


class Follower(Protocol):
    """A view, as the experiment sees it."""

    def follow(self, trace: Trace, ticket: Ticket | None) -> None:
        """Show a new run."""


class Experiment:
    """A model, prompts and answers, run anew at each change, with the views that show them.

    Args:
        model: a `TransformerBridge`, raw or in compatibility mode, as `rs.load_model` gives, or a Hugging Face causal
            language model with its `tokenizer=`, fine-tuned ones too. It is never changed.
        prompts: a text, chat messages (dicts with a role and a content) or token ids, or a list of one of these; an
            array's rows are ids, and so is what a tokenizer returns, with its attention mask. Ids are taken as they
            are: nothing is prepended. Messages go through the model's chat template, up to where it replies.
        answers: `(right, wrong)` for all prompts, one answer alone (its log-probability is explained), or a list with
            one entry per prompt; a side is text, a token id, or a list of them. Text is read as what follows the
            prompt, its space with it. An array `[row 2]` is a pair a row, two lists `(rights, wrongs)` are columns.
            None explains the model's top token against its second.
        corrupted: for each prompt one of the same number of tokens, in the same form.
        target: a `Target` made by hand, instead of answers; or "logit", to explain one answer alone by its logit and
            not its log-probability.
        target_position: where the target is read; None is each row's last token.
        prepend_bos: of texts; None is the model's own habit.
        chat_template: True puts each text into the model's chat template as a user's message, a dict does so with
            these arguments of the template (`{"enable_thinking": False}`, ...), False says that texts outside it are
            meant. None is for messages alone.
        prefill: what the chat model's reply begins with, a text for all prompts or a list with one each.
        tokenizer: of a Hugging Face model; what is changed in it is followed. None for a model that has none and is
            asked with token ids.
        mask: of prompts that are padded token ids, 1 at real tokens; new prompts need a new one.
        vocabulary: names for the tokens of a model without a tokenizer, a list or a function from id to name.

    Raises:
        InputError: for the first input that cannot be used; nothing has run then.
    """

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
    ) -> None:
        self._given = model, tokenizer
        self.model = as_bridge(model, tokenizer)
        self._lock = threading.RLock()
        self._followers: list[weakref.ref[Follower]] = []
        self._on_run: list[Callable[[Trace], object]] = []
        self._number = 0
        self._trace: Trace | None = None
        self._question = Question(
            prompts, answers, corrupted, target, target_position, prepend_bos, chat_template, prefill, mask, vocabulary
        ).copy()
        self._inputs = self._question.parse(self.model)
        self.selection = Selection()
        self.status = Status()
        me = weakref.ref(self)
        self._worker = Worker("residscope", lambda *told: _report(me, *told))
        weakref.finalize(self, _close, self._worker, self.selection, self.status).atexit = False
        self.status.observe(lambda _change: _cancel(me), "_cancel")
        self.status.observe(lambda change: _go(me, change["new"]), "_go")
        self._history = History()
        with self._lock:
            self._ticket = self._submit(self._inputs, self._question)
            self._remember(self._history.add)

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
        """Show a run that is there already, with whatever was done to it.

        The model is run once on these tokens and compared with what the cache holds, at most 64 cells an activation.
        Where they are equal the experiment is like any other, and what the cache lacks is computed. Where they are
        not, `trace.cache_mismatch` names the first difference, and the cache's numbers are shown until the prompts
        change.

        Args:
            model: whose run it is.
            cache: activations by hook point, with or without a batch axis, padding before or after the tokens.
            tokens: `[row pos]` or `[pos]`, the ids that the cache was made on, or what a tokenizer returned, with its
                attention mask.
            answers: as for any experiment.
            mask: of the tokens' shape, 1 at real ones; needed where rows are padded.
            target: a `Target` made by hand, instead of answers; positions are in each row's own tokens.
            target_position: where the target is read, in each row's own tokens.
            tokenizer: as for any experiment.
            vocabulary: as for any experiment.

        Raises:
            InputError: for a cache, tokens or a mask that are not of this model, or do not fit each other.
        """
        run = parse_cache(as_bridge(model, tokenizer), cache, tokens, mask)
        prompts = run if run.difference else run.tokens
        read_at: dict[str, Any] = {"target": target, "target_position": target_position}
        return cls(model, prompts, answers, **read_at, tokenizer=tokenizer, vocabulary=vocabulary)

    def __repr__(self) -> str:
        state = "closed" if self._worker.closed else self.trace_or_none or "running"
        return f"<Experiment on {count(len(self._inputs.prompts), 'prompt')}: {state}>"

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
        """Return the prompts' texts, token ids decoded; assign prompts of any form to run anew."""
        return self._inputs.prompts

    @prompts.setter
    def prompts(self, value: Prompts) -> None:
        self.update(prompts=value)

    @property
    def answers(self) -> Any:
        """Return the answers as written; assign to run anew."""
        return self.question.answers

    @answers.setter
    def answers(self, value: Answers | None) -> None:
        self.update(answers=value)

    @property
    def warnings(self) -> list[str]:
        """Return what the reader should know about the newest finished run, one sentence each."""
        return self.trace.warnings

    @property
    def target(self) -> Target:
        """Return the number being explained, of the newest inputs; waits for their run."""
        return self.trace.target

    @property
    def trace(self) -> Trace:
        """Return the run of the newest inputs; waits for it, and raises what it raised."""
        return self.wait()

    @property
    def baseline(self) -> Trace:
        """Return the untouched run of the newest inputs; waits for it."""
        return self.trace

    @property
    def trace_or_none(self) -> Trace | None:
        """Return the newest finished run, or None; never waits."""
        return self._trace

    def wait(self, told: Callable[[], object] | None = None) -> Trace:
        """Wait for the run of the newest inputs; on the worker's own thread, give the run in hand.

        Args:
            told: called about once a second while waiting.
        """
        if self._worker.is_current_thread():
            if self._trace is None:
                raise RuntimeError("there is no finished run yet: use the trace that on_run hands over")
            return self._trace
        while True:
            ticket = self._ticket
            while not ticket.wait(1.0 if told else None):
                if told:
                    told()
            with self._lock:
                if self._worker.closed:
                    raise Cancelled(CLOSED)
                if ticket is not self._ticket:
                    continue
                if isinstance(ticket.error, Cancelled):
                    raise Cancelled(_CANCELLED)
                ticket.raise_error()
                assert self._trace is not None
                return self._trace

    def update(self, **changes: Any) -> None:
        """Change several inputs together and run them; with none, run the same inputs again.

        Refused inputs raise and change nothing. A corrupted prompt or answers that no longer fit new prompts are set
        aside and named in `warnings`.

        Raises:
            TypeError: for a name that is not an input.
            InputError: for an input that cannot be used.
        """
        with self._lock:
            self.model = self._model_now()
            inputs, question = self._question.changed(changes).fitted(self.model, changes)
            self._ticket = self._submit(inputs, question)
            self._inputs, self._question = inputs, question
            self._remember(self._history.add)

    def run(self, **changes: Any) -> Trace:
        """Ask a pure question: the run of these inputs, changed so; nothing moves on screen.

        Raises:
            TypeError: for a name that is not an input.
            InputError: for an input that cannot be used.
        """
        model = self._model_now()
        inputs, question = self._question.changed(changes).fitted(model, changes)
        return Trace(model, inputs, target=question.hand_made)

    def fork(self, **changes: Any) -> "Experiment":
        """Return an experiment of its own on the same model and inputs, changed so, with a copy of the selection.

        Its views share nothing with this one's: two prompts, or two targets, can stand side by side.

        Raises:
            TypeError: for a name that is not an input.
            InputError: for an input that cannot be used.
        """
        _, question = self._question.changed(changes).fitted(self._model_now(), changes)
        model, tokenizer = self._given
        inputs = {field.name: getattr(question, field.name) for field in fields(question)}
        other = Experiment(model, **inputs, tokenizer=tokenizer)
        other.selection.update(**self.selection.values)
        return other

    @property
    def history(self) -> History:
        """Return the runs so far, the oldest first; `history.at` is the index of the one in force."""
        return self._history

    def back(self, steps: int = 1) -> None:
        """Run what was asked so many runs before, as a run of its own; like a browser's button.

        Raises:
            IndexError: when there is no such run.
            RuntimeError: when the experiment is closed.
        """
        with self._lock:
            self._go(self._history.at - steps)

    def forward(self, steps: int = 1) -> None:
        """Run what was asked after the run in force, once `back` has gone there.

        Raises:
            IndexError: when there is no such run.
            RuntimeError: when the experiment is closed.
        """
        with self._lock:
            self._go(self._history.at + steps)

    def on_run(self, fn: Callable[[Trace], object]) -> Callable[[], None]:
        """Call fn with each new run, on the worker's thread and outside every lock; returns what undoes this."""
        self._on_run.append(fn)
        return lambda: self._on_run.remove(fn) if fn in self._on_run else None

    def cancel(self) -> None:
        """Stop what is being computed, between two layers."""
        self._worker.cancel()
        if self._ticket.done and isinstance(self._ticket.error, Cancelled):
            self.status._error = {"run": self._number, "message": _CANCELLED}

    def close(self) -> None:
        """Stop the worker, let the run go and close the shared models; views keep their last picture."""
        _close(self._worker, self.selection, self.status)
        self._trace = None
        self._history = History()

    def attach(self, view: Follower) -> None:
        """Let a view follow every run from now on; held weakly."""
        self._followers.append(weakref.ref(view))

    def detach(self, view: Follower) -> None:
        """Let a view go that is closed."""
        self._followers = [one for one in self._followers if one() not in (None, view)]

    def schedule(self, kind: str, job: Callable[[Ticket], None]) -> Ticket:
        """Do a view's job on the worker; a newer job of its kind replaces it."""
        me, number = weakref.ref(self), self._number

        def told(ticket: Ticket) -> None:
            experiment = me()
            if experiment is not None:
                with experiment._telling(number):
                    job(ticket)

        return self._worker.submit(kind, told)

    def _model_now(self) -> TransformerBridge:
        """Return the model, which is another bridge when the Hugging Face model that was given has changed."""
        model, tokenizer = self._given
        return as_bridge(model, tokenizer) if isinstance(model, PreTrainedModel) else self.model

    def _go(self, to: int) -> None:
        if self._worker.closed:
            raise RuntimeError(CLOSED)
        if not 0 <= to < len(self._history):
            raise IndexError(f"there is no run there: the history has runs 0 to {len(self._history) - 1}")
        question = self._history[to].question
        self.model = self._model_now()
        inputs = question.parse(self.model)
        self._ticket = self._submit(inputs, question)
        self._inputs, self._question = inputs, question
        self._remember(lambda run: self._history.move(to, run))

    def _remember(self, add: Callable[[Past], None]) -> None:
        """Put the newest run into the history."""
        add(Past(self._number, self._inputs.prompts, self._question))
        self.status._history = {"at": self._history.at, "of": len(self._history)}

    def _submit(self, inputs: Inputs, question: Question) -> Ticket:
        number, model, me = self._number + 1, self.model, weakref.ref(self)

        def job(ticket: Ticket) -> None:
            experiment = me()
            if experiment is not None:
                with experiment._telling(number):
                    experiment._compute(model, number, inputs, question.hand_made, ticket)

        # The number goes up first: the job may begin before submit returns.
        self._number = number
        return self._worker.submit("run", job, replaces=("show",))

    def _compute(
        self, model: TransformerBridge, number: int, inputs: Inputs, target: Target | None, ticket: Ticket
    ) -> None:
        trace = Trace(
            model,
            inputs,
            target=target,
            number=number,
            step=lambda done, total: ticket.step("layer", done, total),
        )
        ticket.check()
        with self._lock:  # whoever asked has put it into the history then
            self._trace = trace
            self._history.finish(number, trace.target.names, trace.target_value.tolist())
        with self.status.hold_sync():
            self.status.run = number
            self.status._run = header_of(trace)
            self.status._error = None
        try:
            self.selection.settle(self, extent_of(trace))
        except Exception:  # noqa: BLE001 - an observer's mistake must not stop the run
            _LOG.exception("an observer of the selection failed")
        me = weakref.ref(self)
        self._worker.submit("show", lambda ticket: _show(me, trace, ticket))
        if self._on_run:
            # Of a kind of its own: a newer run replaces what is shown, and every run is told of.
            self._worker.submit(f"run {number} is told of", lambda _ticket: _tell(me, trace))

    def _show(self, trace: Trace, ticket: Ticket) -> None:
        with self._telling(trace.number):
            for reference in list(self._followers):
                view = reference()
                if view is None:
                    self._followers.remove(reference)
                else:
                    self._follow(view, trace, ticket)

    def _follow(self, view: Follower, trace: Trace, ticket: Ticket) -> None:
        """Let one view show a run; when it fails, the others go on."""
        try:
            view.follow(trace, ticket)
        except Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 - told on screen
            _LOG.exception("a view failed to show run %s", trace.number)
            self._tell_error(trace.number, error)

    def _tell(self, trace: Trace) -> None:
        for fn in list(self._on_run):
            try:
                fn(trace)
            except Exception:  # noqa: BLE001 - a callback's mistake must not stop the worker
                _LOG.exception("a function given to on_run failed")

    @contextmanager
    def _telling(self, number: int) -> Iterator[None]:
        """Let the shared status tell how a job of this run ended."""
        try:
            yield
        except Replaced:  # by a job that will tell how it ends
            raise
        except Cancelled:
            if number == self._number:
                self.status._error = {"run": number, "message": _CANCELLED}
            raise
        except BaseException as error:
            self._tell_error(number, error)
            raise
        finally:
            self.status._progress = None

    def _tell_error(self, number: int, error: BaseException) -> None:
        if number == self._number:
            self.status._error = {"run": number, "message": text(str(error) or type(error).__name__)}


_CANCELLED = "Cancelled: change an input, or exp.update(), to run again."

_LOG = logging.getLogger("residscope")


def _close(worker: Worker, *models: Widget) -> None:
    """End what an experiment leaves behind; ipywidgets would keep its models for ever."""
    worker.close()
    for model in models:
        model.close()


def _show(reference: "weakref.ref[Experiment]", trace: Trace, ticket: Ticket) -> None:
    experiment = reference()
    if experiment is not None:
        experiment._show(trace, ticket)


def _tell(reference: "weakref.ref[Experiment]", trace: Trace) -> None:
    experiment = reference()
    if experiment is not None:
        experiment._tell(trace)


def _report(reference: "weakref.ref[Experiment]", label: str, done: int, total: int) -> None:
    experiment = reference()
    if experiment is not None:
        experiment.status._progress = {"run": experiment._number, "label": label, "done": done, "total": total}


def _cancel(reference: "weakref.ref[Experiment]") -> None:
    experiment = reference()
    if experiment is not None:
        experiment.cancel()


def _go(reference: "weakref.ref[Experiment]", asked: Any) -> None:
    """Go where the browser's buttons point; there may be no such run any more."""
    experiment = reference()
    if experiment is not None and type(asked) is dict and type(asked.get("to")) is int:
        with experiment._lock, suppress(IndexError, RuntimeError):
            experiment._go(asked["to"])
