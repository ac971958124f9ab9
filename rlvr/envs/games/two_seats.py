"""`TwoSeats`: a game as an environment, with the policy in one seat and an opponent in the other."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from rlvr.core.episode import Episode, ModelMessage, Reply
from rlvr.core.errors import OptionError, nearest
from rlvr.core.fixtures import Fixture, Turn
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict, status_of
from rlvr.envs.games.game import Game, IllegalMoveError, Player
from rlvr.envs.games.seated import READY, YOUR_MOVE, game_prompt
from rlvr.envs.turns import MultiTurn
from rlvr.partners.partner import Partner, Talk
from rlvr.verifiers.extraction import MODES, Mode, find_answer, in_form
from rlvr.verifiers.transcript import TranscriptVerifier

Opponent: TypeAlias = Any
"""The player of the other seat: the name of a script, a `Player`, or a policy as `rlvr.partners.Partner` takes it."""
GameFactory: TypeAlias = Callable[[dict[str, Any]], Game]

_TRIES = 8  # episodes of the expert, of which one that earns full reward is the demonstration


class SeatReward(TranscriptVerifier):
    """The reward of the policy's seat, which the episode's outcome has.

    The reward is the seat's part of what counts as full reward there; the components `seat:first` and `seat:second` are
    the rewards of both seats as the game says.
    """

    name = "game"

    def judge(self, task: Task, transcript: Transcript) -> Verdict:
        """Read the outcome."""
        outcome = transcript.outcome
        try:
            rewards = {str(seat): float(reward) for seat, reward in outcome["rewards"].items()}
            share = float(outcome["share"])
            forfeit, ending = outcome["forfeit"], str(outcome["ending"])
        except (TypeError, KeyError, ValueError, AttributeError):
            return Unscored(
                Cause.INTERNAL,
                'game: the episode has no outcome of a game; a line of `rlvr score` needs an "outcome" with '
                '"rewards", "share", "forfeit" and "ending".',
            )
        components = {self.name: share, **{f"seat:{seat}": r for seat, r in rewards.items()}}
        status = status_of(share)
        if forfeit == "unreadable" and status is Status.INCORRECT:
            status = Status.UNPARSABLE
        return Scored(share, status, components, ending)


class SeatEpisode(Episode):
    """A game in which the policy has one seat and a script the other.

    Args:
        game: the game in its first state.
        seat: the number of the policy's seat.
        player: the script; None if there is no other seat.
        retries: attempts after a move that isn't legal.
        mode: where the move is looked for.
    """

    def __init__(
        self, task: Task, game: Game, seat: int, player: Player | None, retries: int, mode: Mode
    ) -> None:
        super().__init__(task)
        self.game, self.seat, self.retries, self.mode = game, seat, retries, mode
        self.moves: list[list[str]] = []
        self._player = player
        self._left = retries
        self._waits = game.turn != seat
        self._forfeited: tuple[int, str, str] | None = None

    def reply(self, message: ModelMessage) -> Any:
        """Make the policy's move, and the opponent's, and return what the policy sees next; None at the end."""
        refusal = self.take(message)
        if refusal is not None:
            return refusal
        before = len(self.moves)
        while not self.is_over and self.game.turn != self.seat:
            assert self._player is not None
            rng = random.Random(f"{self.task.id}/{len(self.moves)}")
            self.move(self._player(self.game, rng))
        return self.turn_text(before)

    @property
    def is_over(self) -> bool:
        """True if the game has ended, by its rules or by a forfeit."""
        return self._forfeited is not None or self.game.over

    def take(self, message: ModelMessage) -> Reply | None:
        """Make the policy's move. Return an explanation if it isn't legal and may be tried again."""
        if self._waits:  # the other seat begins, and the policy has said that it's ready
            self._waits = False
            return None
        move, reason = move_in(message.content, self.mode)
        kind = "unreadable"
        if move is not None:
            try:
                self.move(move)
                return None
            except IllegalMoveError as error:
                reason, kind = str(error), "illegal"
        if not self._left:
            self.forfeit(self.seat, kind, reason)
            return None
        self._left -= 1
        return Reply(refusal_text(reason, self._left + 1))

    def move(self, move: str) -> None:
        """Make a move of the seat whose turn it is. Raises `IllegalMoveError`."""
        seat = self.game.turn
        self.moves.append([self.game.seats[seat], self.game.play(move)])
        self._left = self.retries

    def forfeit(self, seat: int, kind: str, reason: str) -> None:
        """End the game: a seat has given up its right to move."""
        self._forfeited = seat, kind, reason

    def turn_text(self, before: int) -> str | None:
        """Return the moves of the other seat after the first `before` moves, and the view; None if the game is over."""
        if self.is_over:
            return None
        own = self.game.seats[self.seat]
        lines = [self.game.told(self.seat, m) for name, m in self.moves[before:] if name != own]
        return "\n\n".join([*lines, self.game.view(self.seat), YOUR_MOVE])

    def results(self) -> tuple[dict[str, float], str, str]:
        """Return the rewards by seat, the kind of forfeit ("" if there is none), and a sentence about the end."""
        game = self.game
        if self._forfeited is None and not game.over:  # out of turns or tokens
            self._forfeited = self.seat, "unfinished", "The episode ended before the game."
        if self._forfeited is None:
            rewards, kind, ending = game.rewards(), "", game.ending(self.seat)
        else:
            seat, kind, reason = self._forfeited
            rewards = game.forfeited(seat)
            who = "You have" if seat == self.seat else "The other player has"
            ending = f"{who} forfeited the game. {reason}"
        return dict(zip(game.seats, map(float, rewards), strict=True)), kind, ending

    def outcome(self) -> dict[str, Any]:
        """Return the rewards of all seats, the policy's share of full reward, the moves and the end."""
        rewards, kind, ending = self.results()
        own = self.game.seats[self.seat]
        scale = self.game.scale(self.seat)
        # A forfeit of its own pays a policy nothing, whatever the rules say about the rewards.
        is_own = self._forfeited is not None and self._forfeited[0] == self.seat
        share = 0.0 if is_own or scale <= 0 else min(1.0, max(0.0, rewards[own] / scale))
        return {
            "game": self.game.name,
            "seat": own,
            "rewards": rewards,
            "share": share,
            "forfeit": kind,
            "ending": ending,
            "moves": self.moves,
        }

    def close(self) -> None:
        """Close the game."""
        self.game.close()


class PartnerSeatEpisode(SeatEpisode):
    """A game in which another policy has the other seat, in a conversation of its own.

    Args:
        partner: the policy.

    The other arguments are `SeatEpisode`'s.
    """

    varies = True

    def __init__(
        self, task: Task, game: Game, seat: int, partner: Partner, retries: int, mode: Mode
    ) -> None:
        super().__init__(task, game, seat, None, retries, mode)
        self.partner = partner
        self._talk: Talk | None = None
        self._read = 0  # moves that the partner has seen

    async def open(self) -> None:
        """Connect to the partner's server."""
        await self.partner.open()

    async def reply(self, message: ModelMessage) -> Any:
        """Make the policy's move, and the partner's, and return what the policy sees next; None at the end."""
        refusal = self.take(message)
        if refusal is not None:
            return refusal
        before = len(self.moves)
        while not self.is_over and self.game.turn != self.seat:
            await self._ask()
        return self.turn_text(before)

    async def _ask(self) -> None:
        """Ask the partner for a move until it is legal. Raises `CannotScore` if there's no answer."""
        game, seat = self.game, self.game.turn
        own = game.seats[seat]
        if self._talk is None:
            self._talk = self.partner.talk(self)
            prompt = game_prompt(game, seat, self.mode, self.retries)
        else:
            lines = [game.told(seat, m) for name, m in self.moves[self._read :] if name != own]
            prompt = "\n\n".join([*lines, game.view(seat), YOUR_MOVE])
        self._read = len(self.moves)
        left = self.retries
        while True:
            generation = await self._talk.ask(prompt)
            move, reason = move_in(generation.text, self.mode)
            kind = "unreadable"
            if move is not None:
                try:
                    self.move(move)
                    return
                except IllegalMoveError as error:
                    reason, kind = str(error), "illegal"
            if not left or generation.overflow:
                self.forfeit(seat, kind, reason)
                return
            prompt = refusal_text(reason, left)
            left -= 1

    def outcome(self) -> dict[str, Any]:
        """Return the outcome, and record what the partner earned."""
        outcome = super().outcome()
        if self._talk is not None:
            other = self.game.seats[1 - self.seat]
            self._talk.child.reward = outcome["rewards"][other]
        return outcome


class TwoSeats(MultiTurn):
    """A game as an environment, in which the policy has the seat that the task names::

        env = rlvr.games.TwoSeats(rlvr.games.both_seats([{"stones": 21}], Nim), Nim, opponent="random")

    The policy's message is its move. A move that can't be read or isn't legal is explained, and may be tried again in the same
    turn; after `retries` such attempts the seat forfeits the game. An episode that ends before its game is a forfeit as well.
    If the other seat begins, the policy's first message is "ready", or any other text, and isn't a move.

    An opponent that is a script gets the game and a random generator that depends on the task and the move. One that is
    a model has a conversation of its own, which is recorded with the rollout (`children`). It sees its own view and the
    policy's moves, and never a message. If it doesn't answer, the episode is unscored; if its moves aren't legal, it
    forfeits the game by the same rule.

    Args:
        tasks: tasks whose metadata have `game`, the setup, and `seat`; `rlvr.games.both_seats` makes them.
        game: a `Game` class, or a function that makes a game from a setup.
        opponent: the name of one of the game's scripts (default: its `rival`), a script, `self` for the policy that plays,
            or another policy as `rlvr.partners.Partner` takes it.
        retries: attempts at a move after one that isn't legal.
        mode: where the move is looked for: `boxed`, or `whole`.
        max_turns: the most messages of the policy.

    The other arguments are `Environment`'s.
    """

    def __init__(
        self,
        tasks: TaskSet | Sequence[Task],
        game: GameFactory,
        opponent: Opponent = None,
        *,
        retries: int = 2,
        mode: Mode = "boxed",
        max_turns: int = 200,
        deadline_s: float = 60.0,
        name: str | None = None,
        render_mode: str | None = None,
        fixtures: Iterable[Fixture] | str | os.PathLike[str] | None = None,
        known_findings: Mapping[str, str] | None = None,
    ) -> None:
        if type(retries) is not int or not 0 <= retries <= 100:
            raise OptionError(f"retries is a whole number from 0 to 100, not {retries!r:.40}.")
        if mode not in MODES:
            raise OptionError(f"mode is one of {', '.join(MODES)}, not {mode!r:.40}.")
        super().__init__(
            tasks,
            SeatReward(),
            None,
            max_turns,
            deadline_s=deadline_s,
            name=name,
            render_mode=render_mode,
            fixtures=fixtures,
            known_findings=known_findings,
        )
        self.game, self.retries, self.mode = game, retries, mode
        self.player, self.partner = _opponent(game, opponent)

    @property
    def replies_vary(self) -> bool:
        """True if the opponent is a model."""
        return self.partner is not None

    def begin(self, task: Task) -> Episode:
        """Make an episode, in the episode's thread."""
        game = self.game(dict(task.metadata["game"]))
        seat = game.seats.index(task.metadata["seat"])
        if self.partner is not None and len(game.seats) == 2:
            return PartnerSeatEpisode(task, game, seat, self.partner, self.retries, self.mode)
        return SeatEpisode(task, game, seat, self.player, self.retries, self.mode)

    def demonstrate(self, task: Task) -> tuple[Turn, ...] | None:
        """Return the messages of an episode in which the game's expert earns full reward; None if none is known."""
        if self.partner is not None:
            return None
        for number in range(_TRIES):
            turns = self._experts_turns(task, number)
            if turns is None or turns:
                return turns
        return None

    def _experts_turns(self, task: Task, number: int) -> tuple[Turn, ...] | None:
        """Return the expert's messages in one episode; () if they didn't earn full reward, None without an expert."""
        episode = self.begin(task)
        assert isinstance(episode, SeatEpisode)
        try:
            expert = type(episode.game).expert
            if expert is None:
                return None
            turns: list[str] = []
            if episode.game.turn != episode.seat:
                turns.append(in_form(READY, self.mode))
                episode.reply(ModelMessage(turns[-1]))
            while not episode.is_over and len(turns) < self.max_turns:
                rng = random.Random(f"{task.id}/{len(episode.moves)}/{number}")
                turns.append(in_form(expert(episode.game, rng), self.mode))
                episode.reply(ModelMessage(turns[-1]))
            return tuple(turns) if episode.outcome()["share"] == 1.0 else ()
        finally:
            episode.close()


def move_in(text: str, mode: Mode) -> tuple[str | None, str]:
    """Return the move in a message, and the reason if there is none."""
    extracted = find_answer(text, mode)
    if extracted.answer is None or not extracted.answer.strip():
        where = "in \\boxed{}" if mode == "boxed" else "in it"
        return None, f"Your message has no move {where}."
    return extracted.answer.strip()[:_MOST_MOVE], ""


_MOST_MOVE = 1000  # characters; a longer text is no move of any game here


def refusal_text(reason: str, attempts: int) -> str:
    """Return the answer to a move that isn't legal."""
    left = "one attempt" if attempts == 1 else f"{attempts} attempts"
    return f"{reason} It's still your move; you have {left} left."


def _opponent(game: GameFactory, opponent: Opponent) -> tuple[Player | None, Partner | None]:
    """Return the script of the other seat, or the partner. Raises `OptionError` if it is neither."""
    players: Mapping[str, Player] = getattr(game, "players", Game.players)
    if opponent is None:
        opponent = getattr(game, "rival", Game.rival)
    if isinstance(opponent, str) and opponent != "self":
        if opponent not in players:
            raise OptionError(
                f"There's no opponent {opponent!r:.60}. {nearest(opponent, [*players, 'self'])}"
            )
        return players[opponent], None
    if (
        callable(opponent)
        and not hasattr(opponent, "respond")
        and not hasattr(opponent, "generate")
    ):
        return opponent, None
    return None, opponent if isinstance(opponent, Partner) else Partner(opponent, "opponent")
