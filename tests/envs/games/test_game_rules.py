"""The rules of connect four and of negotiations, against plain ones, and the rewards of both seats."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

import rlvr
from rlvr.envs.games.connect_four import LEVELS, ConnectFour, lookahead, search
from rlvr.envs.games.discs import Board, WinSearch
from rlvr.envs.games.game import IllegalMoveError, random_move
from rlvr.envs.games.negotiation import Negotiation, conceder

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))


def lines_of(cells: dict[tuple[int, int], int], seat: int, connect: int) -> bool:
    """Return whether a seat has a line, cell by cell."""
    own = {cell for cell, owner in cells.items() if owner == seat}
    return any(
        all((c + i * dc, r + i * dr) in own for i in range(connect))
        for c, r in own
        for dc, dr in STEPS
    )


def test_connect_four_is_as_plain_rules_have_it() -> None:
    for number in range(40):
        rng = random.Random(number)
        rows, columns = rng.randint(2, 8), rng.randint(2, 8)
        connect = rng.randint(2, max(rows, columns))
        game = ConnectFour({"rows": rows, "columns": columns, "connect": connect})
        cells: dict[tuple[int, int], int] = {}
        for turn in itertools.count():
            heights = [sum(c == column for c, _ in cells) for column in range(columns)]
            legal = [f"{'abcdefgh'[c]}{h + 1}" for c, h in enumerate(heights) if h < rows]
            won = [lines_of(cells, seat, connect) for seat in (0, 1)]
            assert game.over == (any(won) or not legal)
            if game.over:
                expected = (0.5, 0.5) if not any(won) else tuple(map(float, won))
                assert game.rewards() == expected
                assert sum(game.rewards()) == 1
                break
            assert game.moves() == legal
            assert game.turn == turn % 2
            completing = [
                c
                for c, h in enumerate(heights)
                if h < rows and lines_of({**cells, (c, h): game.turn}, game.turn, connect)
            ]
            own, other = game.discs[game.turn], game.discs[1 - game.turn]
            assert sorted(game.board.wins_at(own, other)) == completing
            move = random_move(game, rng)
            cells["abcdefgh".index(move[0]), int(move[1:]) - 1] = game.turn
            assert game.play(move) == move
            assert game.view(0).split().count("X") == sum(owner == 0 for owner in cells.values())


@pytest.mark.parametrize(
    "move", ["", "d", "4", "d2", "d7", "h1", "d1 e1", "d 1", "d01", "d1\n", "ｄ1", "d１", "d" * 900]
)
def test_a_move_that_is_none_changes_nothing(move: str) -> None:
    game = ConnectFour({"rows": 6, "columns": 7, "connect": 4})
    if move.strip() == "d1":
        assert game.play(move) == "d1"
        return
    with pytest.raises(IllegalMoveError):
        game.play(move)
    assert (game.discs, game.turn) == ([0, 0], 0)


def test_forced_wins_are_those_of_a_plain_search() -> None:
    board = Board(4, 4, 3)

    def wins(own: int, other: int, moves: int) -> bool:
        for _, bit in board.drops(own | other):
            if board.has_line(own | bit):
                return True
        return moves > 1 and any(
            loses(other, own | bit, moves - 1) for _, bit in board.drops(own | other)
        )

    def loses(own: int, other: int, moves: int) -> bool:
        drops = board.drops(own | other)
        return bool(drops) and all(
            not board.has_line(own | bit) and wins(other, own | bit, moves) for _, bit in drops
        )

    checked = 0
    for number in range(60):
        rng = random.Random(number)
        game = ConnectFour({"rows": 4, "columns": 4, "connect": 3})
        for _ in range(rng.randint(0, 8)):
            if not game.over:
                game.play(random_move(game, rng))
        if game.over:
            continue
        own, other = game.discs[game.turn], game.discs[1 - game.turn]
        for moves in (1, 2, 3):
            plain = [
                c
                for c, bit in board.drops(own | other)
                if board.has_line(own | bit) or (moves > 1 and loses(other, own | bit, moves - 1))
            ]
            found = WinSearch(board).winning(own, other, moves)
            at_once = board.wins_at(own, other)
            assert found == (at_once or plain)
            checked += bool(found)
    assert checked > 20


def test_swapping_the_seats_swaps_the_rewards() -> None:
    for number in range(40):
        rng = random.Random(number)
        base: dict[str, Any] = {"rows": 5, "columns": 5, "connect": 4}
        games = [ConnectFour({**base, "turn": turn}) for turn in (0, 1)]
        while not games[0].over:
            move = random_move(games[0], rng)
            for game in games:
                game.play(move)
        assert games[1].over
        assert games[0].rewards() == games[1].rewards()[::-1]
        for seat in (0, 1):
            assert games[0].forfeited(seat) == games[1].forfeited(1 - seat)[::-1]
    for task in (rlvr.make("negotiation").tasks[i] for i in range(0, 40, 2)):
        setup = task.metadata["game"]
        swapped = {**setup, "values": setup["values"][::-1]}
        there, back = Negotiation(setup), Negotiation(swapped)
        back.turn = 1
        rng = random.Random(task.id)
        while not there.over:
            move = random_move(there, rng)
            there.play(move)
            back.play(move)
        assert there.rewards() == back.rewards()[::-1]


def test_a_negotiations_rewards_never_exceed_what_the_pool_allows() -> None:
    deals = 0
    for number, task in enumerate(rlvr.make("negotiation", level=3).tasks[:60]):
        game = Negotiation(task.metadata["game"])
        totals = [game.value(seat, tuple(game.pool.values())) for seat in (0, 1)]
        assert totals[0] == totals[1] == game.total(0)
        most = sum(
            max(game.values[0][item], game.values[1][item]) * n for item, n in game.pool.items()
        )
        rng = random.Random(number)
        while not game.over:
            accepts = game.proposals and rng.random() < 0.3
            game.play("accept" if accepts else random_move(game, rng))
        if game.deal is None:
            assert game.rewards() == (0, 0)
        else:
            deals += 1
            parts = [game.part_of(seat) for seat in (0, 1)]
            assert [a + b for a, b in zip(*parts, strict=True)] == list(game.pool.values())  # type: ignore[arg-type]
            assert sum(game.rewards()) * totals[0] <= most + 1e-9
        assert game.forfeited(0) == game.forfeited(1) == (0, 0)
    assert deals > 10


def test_values_of_the_other_seat_are_never_in_view() -> None:
    """Show a seat the same text, whatever the other's values are."""
    for task in rlvr.make("negotiation", level=4).tasks[:30]:
        setup = task.metadata["game"]
        for seat in (0, 1):
            games = []
            for change in (0, 7):
                values = [dict(v) for v in setup["values"]]
                values[1 - seat] = {k: v + change for k, v in values[1 - seat].items()}
                games.append(Negotiation({**setup, "values": values}))
            rng = random.Random(task.id)
            while not games[0].over:
                assert games[0].view(seat) == games[1].view(seat)
                assert games[0].rules(seat) == games[1].rules(seat)
                move = random_move(games[0], rng)
                assert games[0].told(seat, move) == games[1].told(seat, move)
                for game in games:
                    game.play(move)


@pytest.mark.parametrize(
    "move",
    ["", "accept", "I accept", "9 hats", "-1 hats", "1.5 hats", "1 hats 1 hats", "1 hat, 2 hats", "1 gold", "hats", "0x1 hats", "² hats", "all", "1 hat,", "1" * 500 + " hats"],
)  # fmt: skip
def test_an_impossible_proposal_changes_nothing(move: str) -> None:
    setup = {
        "pool": {"hat": 3, "ball": 1},
        "values": [{"hat": 2, "ball": 4}, {"hat": 1, "ball": 7}],
    }
    game = Negotiation({**setup, "rounds": 2})
    with pytest.raises(IllegalMoveError):
        game.play(move)
    assert (game.proposals, game.turn, game.over) == ([], 0, False)


def test_proposals_are_read_in_several_forms() -> None:
    setup = {
        "pool": {"hat": 3, "ball": 1},
        "values": [{"hat": 2, "ball": 4}, {"hat": 1, "ball": 7}],
    }
    for text in ("2 hats, 1 ball", "1 BALL and 2 hats.", " 2 hat,  1 balls", "1 ball, and 2 hats"):
        assert Negotiation({**setup, "rounds": 2}).play(text) == "2 hats, 1 ball"
    assert Negotiation({**setup, "rounds": 2}).play("0 hats") == "nothing"


@pytest.mark.sweep(gate=("lookahead",))
@pytest.mark.parametrize(
    ("better", "worse", "games", "least"),
    [
        pytest.param(lookahead, random_move, 30, 0.8, id="lookahead"),
        pytest.param(search, lookahead, 40, 0.6, id="search"),
    ],
)
def test_scripts_play_better_than_the_lesser_ones(
    better: Any, worse: Any, games: int, least: float
) -> None:
    earned = 0.0
    for number in range(games):
        game, rng = ConnectFour({"rows": 6, "columns": 7, "connect": 4}), random.Random(number)
        while not game.over:
            game.play((better if game.turn == number % 2 else worse)(game, rng))
        earned += game.rewards()[number % 2]
    assert earned / games > least


def test_the_conceder_never_takes_less_than_half() -> None:
    for number, task in enumerate(rlvr.make("negotiation", level=2).tasks[:60]):
        game, rng = Negotiation(task.metadata["game"]), random.Random(number)
        while not game.over:
            player = conceder if game.turn == number % 2 else random_move
            game.play(player(game, rng))
        if game.deal is not None and game.deal[0] != number % 2:
            assert game.rewards()[number % 2] >= 0.5


def test_levels_are_won_in_as_many_moves_as_they_say() -> None:
    for level, chosen in LEVELS.items():
        if level == 4 or not chosen.wins_in:
            continue
        for task in rlvr.make("connect_four", level=level).tasks[:6]:
            game = ConnectFour(task.metadata["game"])
            assert game.seats[game.turn] == task.metadata["seat"]
            own, other = game.discs[game.turn], game.discs[1 - game.turn]
            moves, columns = WinSearch(game.board).shortest(own, other, chosen.wins_in)
            assert (moves, len(columns)) == (chosen.wins_in, 1)
