"""What every view has: an experiment to follow, a shared selection and status, one payload per run."""

import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Self

import anywidget
import traitlets

from residscope.errors import NoModelError
from residscope.export.figure import Figure
from residscope.export.interactive import plotly_figure
from residscope.fixed import Fixed
from residscope.given import Given, Run, given
from residscope.header import extent_of
from residscope.live import rerun, wire
from residscope.live.shared import Selection, attach_owner, set_shared_state, settle, shared_state
from residscope.live.source import Source
from residscope.live.widget import bundle, made_whole
from residscope.live.worker import CLOSED as SOURCE_CLOSED
from residscope.live.worker import Cancelled, Priority, Ticket
from residscope.quantity import Quantity
from residscope.runs.runs import Runs
from residscope.runs.sources import NoSplitError
from residscope.runs.trace import Trace
from residscope.views import pictures
from residscope.views.answers import NoAnswerError, Sent, asked_of, packed_answers
from residscope.views.captions import facts
from residscope.views.described import described
from residscope.views.display import Part
from residscope.views.followed import Followed, checked, source_of_either
from residscope.views.from_arrays import texts_of_rows
from residscope.views.picturable import CLOSED, Picturable
from residscope.views.quantities import collected, compared, payload, table

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure as PlotlyFigure

_SELECTION = ("row", "depth", "head", "position", "key", "pinned", "show")
_STATUS = ("run", "_header", "_jobs", "_error", "_history", "_cancel", "_go", "_intervene")


class View(Picturable):
    """A widget that shows each run of an experiment.

    It shows at once and fills as its numbers arrive.

    A class of your own needs a `title` and a method `quantities`. Each `Quantity` that it yields is drawn according to
    its axes and linked with all other views, with a sentence, a table and a still picture. An enumeration trait with a
    label is a menu above the picture, and changing it shows the run again::

        class HeadNorms(rs.View):
            title = "Head norms"
            of = traitlets.Enum(("output", "value"), "output").tag(sync=True, label="norm of")

            def quantities(self, trace):
                yield rs.Quantity("norm", norms(trace, self.of), "row layer head", scale="sequential")

    Args:
        experiment: the experiment to show.
        selection: a selection to share instead of the experiment's.
    """

    selection = anywidget.WidgetTrait().tag(sync=True)
    """The `Selection` this view shares."""
    status = anywidget.WidgetTrait().tag(sync=True)
    """The experiment's `Status`."""
    _data = traitlets.Bytes(b"").tag(sync=True)
    _ask: Any = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    _answer = traitlets.Bytes(b"").tag(sync=True)
    _link = traitlets.Unicode("").tag(sync=True)
    _still = traitlets.Unicode("").tag(sync=True)
    _mirror = traitlets.Dict().tag(sync=True)
    _about = traitlets.Dict().tag(sync=True)

    title: ClassVar[str] = ""
    """The text in its title row; if empty, the class's name."""
    help: ClassVar[str | Sequence[str]] = ()
    """What the numbers mean and how to read the picture, one paragraph each, behind the button "?"."""

    _bundle_name: ClassVar[str] = "view"
    _ask_priority: ClassVar[Priority] = Priority.CLICK
    _menus: ClassVar[tuple[str, ...]] = ()
    _most_axes: ClassVar[int] = 2
    """How many axes besides the row it draws."""
    _of_one_head: ClassVar[bool] = False
    """Whether it shows the selected head, so that given numbers begin with the first."""
    _experiment: Followed | None = None
    _last: Runs[Any] | None = None
    _sent: Mapping[str, Any] | None = None
    _from_browser = frozenset({"_ask", "_link", "_mirror"})

    def __init_subclass__(cls, **keys: Any) -> None:
        super().__init_subclass__(**keys)
        own = [name for name, trait in vars(cls).items() if getattr(trait, "metadata", {}).get("label")]
        cls._menus = (*cls._menus, *own)
        cls._from_browser = cls._from_browser | {*own}

    def __init__(self, experiment: Followed, *, selection: Selection | None = None, **traits: Any) -> None:
        checked(type(self), experiment)
        source = source_of_either(experiment)
        if source.closed:
            raise Cancelled(SOURCE_CLOSED)
        self._shown = 0
        module, style = bundle(self._bundle_name)
        # Not before: a refused view has nothing to release.
        self._experiment = experiment
        super().__init__(
            _esm=module,
            _css=style,
            selection=source.selection if selection is None else selection,
            status=source.status,
            _still=uuid.uuid4().hex,
            _about=described(self, self._menus, source),
            **traits,
        )
        if self.selection is not source.selection:
            # Otherwise it would refuse what only this view's runs have.
            attach_owner(self.selection, source)
        if self._menus:
            self._watch(self, list(self._menus), self._chosen)
        rerun.note_made_by_cell(self._retire)
        source.attach(self._still, self._follow)

    @classmethod
    @made_whole()
    def from_quantities(
        cls, quantities: Iterable[Quantity], tokens: Any = (), *, title: str = "", selection: Selection | None = None
    ) -> Self:
        """Show numbers that you have, without a model.

        Args:
            quantities: the numbers to show.
            tokens: the texts of the tokens that the numbers belong to, one list or one per row; may be empty.
            title: the text in the title row, if the class has no title.
            selection: a selection to share, so that a click here also selects in other views.

        Raises:
            InputError: when the rows or tokens do not fit the numbers.
            TypeError: for tokens that are not texts.
        """
        numbers = collected(quantities, None, cls.__name__, cls._most_axes)
        source = Fixed(given(numbers, texts_of_rows(tokens) if len(tokens) else [], title))
        chosen = source.selection if selection is None else selection
        if cls._of_one_head and chosen.head is None:
            chosen.update(head=(0, 0))
        return cls(source, selection=chosen)

    def quantities(self, trace: Any) -> Iterable[Quantity]:
        """Yield the quantities that the view shows of a run; a class of your own defines this.

        Args:
            trace: the run, a `Trace`.
        """
        del trace
        raise NotImplementedError(f"{type(self).__name__} needs a method quantities(trace) that yields rs.Quantity")

    @property
    def experiment(self) -> Any:
        """Return the `Experiment` that the view shows, or its stand-in where it shows arrays.

        Raises:
            RuntimeError: when the view is closed.
        """
        if self._experiment is None:
            raise RuntimeError(CLOSED)
        return self._experiment

    @property
    def trace(self) -> Any:
        """Return the newest run, waiting for it; once the experiment is closed, the last run shown.

        Raises:
            RuntimeError: when the view is closed.
        """
        source = self._source
        if source.closed and self._last is not None:
            return self._last.trace
        runs = source.wait()
        # In case the experiment is closed before anything is shown.
        self._last = self._last or runs
        return runs.trace

    @property
    def _source(self) -> Source[Any]:
        """Return what the view follows.

        Raises:
            RuntimeError: when the view is closed.
        """
        return source_of_either(self.experiment)

    def _follow(self, runs: Runs[Any], ticket: Ticket) -> Iterator[None]:
        """Show runs, a part at a time, unless newer ones are shown already or the view is closed."""
        trace: Any = runs.trace
        experiment = self._experiment
        if experiment is None or trace.number < self._shown:
            return
        source = source_of_either(experiment)
        if self.selection is not source.selection:
            settle(self.selection, source, extent_of(trace))
        # What is selected is sent with the numbers, so the browser need not ask for it.
        keys = self._selected_keys(trace)
        if keys and not trace.patterns_sent_with_run:
            # Each costs as much as the run, so other views go first.
            ticket.priority = max(ticket.priority, Priority.SCREEN)
            yield
        answer = yield from self._answered(trace, keys, ticket)
        for sent in self._payloads(trace, ticket):
            if sent is None:
                yield
                continue
            packed = wire.pack(trace.number, *sent)
            with self.hold_sync():
                # It may have been closed meanwhile; closing does not wait for long jobs.
                if self._experiment is None or trace.number < self._shown:
                    return
                if answer:
                    self._answer, answer = answer, b""
                self._shown, self._last, self._data = trace.number, runs, packed
            yield

    def _follow_again(self, _change: Any = None) -> None:
        """Show the current run again, on the worker, after a trait has changed what is shown of it."""
        runs = self._last
        if runs is not None:
            with suppress(RuntimeError):  # the experiment is closed, and the view keeps what it has
                self._source.ask(f"again {self._still}", lambda ticket: self._follow(runs, ticket), of=self._still)

    def _payloads(self, trace: Any, ticket: Ticket) -> Iterator[Sent | None]:
        """Yield what is sent of a run: one payload, or several ever more complete ones, and None between forwards."""
        yield self._payload(trace, ticket)

    def _payload(self, trace: Any, ticket: Ticket | None) -> Sent:
        """Return the arrays of a run and the facts about them."""
        del ticket
        return payload(self._shows(trace), trace)

    def _selected_keys(self, _trace: Run) -> list[str]:
        """Return the keys that the browser would ask for, given the selection."""
        return []

    def _answer_to(self, trace: Run, key: str, ticket: Ticket) -> Sent | Generator[None, None, Sent]:
        """Return what a key names, at once or with a yield between forwards.

        Raises:
            NoAnswerError: when the run has nothing of that name; the reason is shown.
        """
        del trace, ticket
        raise NoAnswerError(f"there is no {key!r:.80}")

    def _is_complete(self) -> bool:
        """Tell whether the view shows all of the newest run."""
        runs = self._source.now()
        return runs is not None and self._shown == runs.number

    def to_frame(self) -> "pd.DataFrame":
        """Return what the view shows of the newest run as a table, one row per number."""
        return table(self._shows(self.trace))

    def _summary(self, trace: Any) -> str:
        """Return one line that says what the view shows."""
        return pictures.summary(self._shows(trace), trace, self.selection)

    def _figure(self, trace: Any) -> Figure:
        """Return what the view shows of a run as a still picture, not yet drawn."""
        return pictures.figure(self._about["title"], self._shows(trace), trace, self.selection)

    def _whole_figure(self, trace: Any) -> Figure:
        """Return the same for a figure that can be zoomed and panned, which has room for everything."""
        return self._figure(trace)

    def to_plotly(self) -> "PlotlyFigure":
        """Return what the view shows of the newest run as a plotly figure."""
        return plotly_figure(self._whole_figure(self.trace))

    def _figure_now(self, trace: Run) -> Figure:
        """Return the same from what is there, computing nothing."""
        return self._unready(trace) if self._shown < trace.number else self._figure(trace)

    def _unready(self, trace: Run) -> Figure:
        return Figure(type(self).__name__, "", facts(trace), "Still being computed.")

    def _figures(self) -> list[Figure]:
        """Return its one picture."""
        return [self._figure(self.trace)]

    def _figures_now(self) -> list[Figure]:
        """Return its one picture, from what is there."""
        return [self._figure_now(self.trace)]

    def _parts(self) -> list[Part]:
        """Return the view itself."""
        return [] if self.closed else [Part(type(self).__name__, self._still, self._source, self._is_complete)]

    def _lines(self) -> list[str]:
        """Return its one line."""
        return [self._line()]

    def _line(self) -> str:
        """Return the view's name, its run if there is one, and its summary."""
        trace = self.trace
        run = f", run {trace.number}" if isinstance(trace, Trace) else ""
        return f"{type(self).__name__}{run}: {self._summary(trace)}"

    def _shows(self, run: Run) -> list[Quantity]:
        """Return the quantities of a run, or those given instead of one."""
        if isinstance(run, Given):
            return list(run.quantities)
        now = self._collected(run)
        # A quantity may come with its reference.
        if run.baseline is run or all(one.reference is not None for one in now):
            return now
        return compared(now, self._collected(run.baseline))

    def _collected(self, run: Trace) -> list[Quantity]:
        return collected(self.quantities(run), run, type(self).__name__, self._most_axes)

    def _chosen(self, change: Any) -> None:
        if self._last is not None and isinstance(self._last.trace, Given):
            raise NoModelError(change["new"])
        self._follow_again(change)

    def close(self) -> None:
        """Stop following the shared models, close the widget and release the run."""
        super().close()
        if self._experiment is None:
            return
        source_of_either(self._experiment).detach(self._still)
        with self._lock:
            # A notebook's Out keeps this object and must not keep the run.
            self._experiment, self._last, self._data, self._answer = None, None, b"", b""

    @traitlets.observe("_link")
    def _start_mirror(self, _change: Any) -> None:
        """Follow the shared models on behalf of a host that cannot share them."""
        if self._link == "mirror":
            self._watch(self.selection, _SELECTION, self._send_mirror)
            self._watch(self.status, _STATUS, self._send_mirror)
            self._send_mirror()

    @traitlets.observe("_mirror")
    def _take_mirror(self, _change: Any) -> None:
        if self._mirror == self._sent:
            return
        for name, shared in (("selection", self.selection), ("status", self.status)):
            set_shared_state(shared, self._mirror.get(name))
        self._send_mirror()

    @traitlets.observe("_ask")
    def _take_ask(self, change: Any) -> None:
        runs, asked = self._last, asked_of(change["new"])
        # A question about another run gets no answer: the browser asks again when it shows this one.
        if asked is None or runs is None or asked["run"] != runs.number:
            return

        def job(ticket: Ticket) -> Iterator[None]:
            answer = yield from self._answered(runs.trace, asked["keys"], ticket)
            self._answer = answer

        try:
            self._source.ask(f"ask {self._still}", job, self._ask_priority, of=self._still)
        except RuntimeError as error:
            self._answer = packed_answers(runs.number, {key: str(error) for key in asked["keys"]})

    def _answered(self, trace: Run, keys: list[str], ticket: Ticket) -> Generator[None, None, bytes]:
        """Return the answers to some keys, packed; empty without keys."""
        answers: dict[str, Sent | str] = {}
        for key in keys:
            try:
                found = self._answer_to(trace, key, ticket)
                answers[key] = (yield from found) if isinstance(found, Generator) else found
            except (NoAnswerError, NoSplitError, IndexError) as error:
                answers[key] = str(error)
            yield
        return packed_answers(trace.number, answers) if keys else b""

    def _send_mirror(self, _change: Any = None) -> None:
        with self._lock:  # otherwise an overtaken thread could send an older state after a newer one
            self._sent = self._mirrored()
            self._mirror = self._sent
            # Not every host echoes, and the one that wrote a value must see the true one.
            self.send_state("_mirror")

    def _mirrored(self) -> dict[str, Any]:
        return {
            "selection": shared_state(self.selection, _SELECTION),
            "status": shared_state(self.status, _STATUS),
        }
