"""`SeatedTasks`: the tasks of a game, in which the policy has each seat equally often."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

from rlvr.core.errors import DataError, OptionError
from rlvr.core.task import Task
from rlvr.core.tasks import GeneratedTaskSet, TaskSet
from rlvr.envs.games.game import Game
from rlvr.verifiers.extraction import Mode

READY = "ready"
"""The message of a policy that doesn't move first: any text will do."""
YOUR_MOVE = "It's your move."
_FORMS = {
    "boxed": "Put your move alone in \\boxed{}.",
    "whole": "Your message is your move and nothing else.",
}
_TIMES = ("", "once", "twice")
_KEPT = 512


class SeatedTasks(GeneratedTaskSet):
    """Each setup of a game once per seat, one after the other::

        setups = [rlvr.Task("21", {}, "21", {"game": {"stones": 21}})]
        tasks = SeatedTasks(rlvr.TaskSet(setups), Nim)
        [task.id for task in tasks]                     # ['21-first', '21-second']

    Args:
        setups: tasks whose metadata have the setup as `game`; their ids and splits are kept.
        game: makes the game from its setup.
        seated: returns the setup for a policy in a seat (default: the same for both).
        mode: where the move is looked for; the prompt says so.
        retries: attempts after a move that isn't legal; the prompt says so.
        size: the number of tasks (default: all).
    """

    def __init__(
        self,
        setups: TaskSet,
        game: Callable[[dict[str, Any]], Game],
        seated: Callable[[dict[str, Any], int], dict[str, Any]] | None = None,
        mode: Mode = "boxed",
        retries: int = 2,
        size: int | None = None,
    ) -> None:
        if size is not None and (type(size) is not int or size < 1):
            raise OptionError(f"size is a whole number of at least 1, not {size!r:.40}.")
        self.name, self.version = setups.name, setups.version
        self.split = str(getattr(setups, "split", ""))
        self._setups, self._game, self._seated = setups, game, seated
        self._mode, self._retries = mode, retries
        self._seats: tuple[str, ...] | None = None
        self._size = size
        self._chosen: range | None = None
        self._kept: dict[int, Task] = {}
        self._places: dict[str, int] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}

    def __repr__(self) -> str:
        return f"SeatedTasks({self._setups!r})"

    @property
    def seats(self) -> tuple[str, ...]:
        """The names of the game's seats."""
        if self._seats is None:
            self._seats = self._game(_setup(self._setups[0], self._seated, 0)).seats
        return self._seats

    def __len__(self) -> int:
        return len(self._range)

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> SeatedTasks: ...
    def __getitem__(self, index: int | slice) -> Task | SeatedTasks:
        if isinstance(index, slice):
            part = SeatedTasks.__new__(SeatedTasks)
            part.__dict__.update(self.__dict__)
            part._chosen = self._range[index]
            if not part._chosen:
                raise DataError(f"The task set {self.name!r} is empty.")
            return part
        return self._task(self._range[index])

    def __iter__(self) -> Iterator[Task]:
        return (self._task(i) for i in self._range)

    def find(self, id: str) -> Task:
        """Return the task with that id (`setup-seat`). Raises `DataError` if there's none."""
        setup, _, name = id.rpartition("-")
        if name in self.seats:
            task = self._seat(self._setups.find(setup), self.seats.index(name))
            if self._place_of(setup) * len(self.seats) + self.seats.index(name) in self._range:
                return task
        raise DataError(f"{self.name!r} has no task with the id {id!r}.")

    def _place_of(self, setup: str) -> int:
        """Return a setup's index, which is there."""
        if isinstance(self._setups, GeneratedTaskSet):
            return int(setup.rpartition("-")[2])
        if self._places is None:
            self._places = {task.id: i for i, task in enumerate(self._setups)}
        return self._places[setup]

    @property
    def _range(self) -> range:
        if self._chosen is None:
            every = len(self._setups) * len(self.seats)
            self._chosen = range(every if self._size is None else min(self._size, every))
        return self._chosen

    def _task(self, index: int) -> Task:
        place, seat = divmod(index, len(self.seats))
        if (
            place not in self._kept
        ):  # a generated setup may take a while, and is wanted once per seat
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[place] = self._setups[place]
        return self._seat(self._kept[place], seat)

    def _seat(self, setup: Task, seat: int) -> Task:
        state = _setup(setup, self._seated, seat)
        game = self._game(state)
        try:
            prompt = game_prompt(game, seat, self._mode, self._retries)
            name = game.seats[seat]
        finally:
            game.close()
        metadata = {**setup.metadata, "game": state, "seat": name}
        return Task(prompt, {"seat": name}, f"{setup.id}-{name}", metadata)


def both_seats(
    setups: Sequence[Mapping[str, Any]],
    game: Callable[[dict[str, Any]], Game],
    *,
    name: str | None = None,
    mode: Mode = "boxed",
    retries: int = 2,
) -> SeatedTasks:
    """Return the tasks of a game with these setups, each once per seat::

        tasks = rlvr.games.both_seats([{"stones": n} for n in range(5, 30)], Nim)

    Args:
        setups: each as plain JSON data, which `game` is made from.
        game: a `Game` class, or a function that makes a game from a setup.
        name: of the task set (default: the game's).
        mode: where the move is looked for; `TwoSeats` needs the same.
        retries: attempts after a move that isn't legal; `TwoSeats` needs the same.
    """
    tasks = [Task(f"{setup}", {}, f"{i}", {"game": dict(setup)}) for i, setup in enumerate(setups)]
    title = name or str(getattr(game, "name", "game"))
    return SeatedTasks(TaskSet(tasks, title), game, None, mode, retries)


def _setup(
    task: Task, seated: Callable[[dict[str, Any], int], dict[str, Any]] | None, seat: int
) -> dict[str, Any]:
    setup: dict[str, Any] = dict(task.metadata["game"])
    return setup if seated is None else seated(setup, seat)


def game_prompt(game: Game, seat: int, mode: Mode, retries: int) -> str:
    """Return a seat's first message: the rules, how a move is written, and what the seat sees."""
    form = _FORMS.get(mode, "Say your move at the end of your message.")
    times = _TIMES[retries] if retries < len(_TIMES) else f"{retries} times"
    again = f"you may try again {times} in the same turn, and then" if retries else "then"
    who = "" if len(game.seats) == 1 else f"You are the {game.seats[seat]} player.\n\n"
    begins = (
        YOUR_MOVE
        if game.turn == seat
        else f'The other player begins: answer with "{READY}" to hear the first move.'
    )
    return (
        f"{game.rules(seat)} {form} If a move isn't possible, {again} the game is lost.\n\n"
        f"{who}{game.view(seat)}\n\n{begins}"
    )
