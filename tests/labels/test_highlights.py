"""How far people's words and the model's coincide."""

from __future__ import annotations

import pytest

from tests.labels.rounds import COLD, FLU, TEXTS, campaign_of, take
from xinglin.labels.decide import answer_vote, decide
from xinglin.labels.export import labels_file
from xinglin.labels.highlights import overlap, shared
from xinglin.labels.overview import overview
from xinglin.labels.results import results
from xinglin.labels.verify import ModelVote, keep_vote, see_vote
from xinglin.store import Store


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([(0, 2)], [(0, 2)], 1.0),
        ([(0, 2)], [(2, 4)], 0.0),
        ([(0, 4)], [(2, 6)], 2 / 6),
        ([(0, 1), (3, 5)], [(0, 5)], 3 / 5),
        ([(0, 3), (1, 4)], [(0, 4)], 1.0),
        ([], [(0, 1)], 0.0),
        ([], [], None),
    ],
)
def test_shared_characters(
    first: list[tuple[int, int]], second: list[tuple[int, int]], expected: float
) -> None:
    assert shared(first, second) == expected
    assert shared(second, first) == expected


def test_only_words_marked_blindly_for_the_models_own_code_are_compared(store: Store) -> None:
    made = campaign_of(store, assisted=True)
    model = ((0, 2), (3, 5))
    for user, code, spans in (("an", COLD, [(0, 2)]), ("bo", FLU, [(0, 2)])):
        task = take(store, made, user)
        keep_vote(store, made, task, ModelVote("m", COLD, None, model))
        decide(store, made, task.slot, user, code, spans=spans)
        see_vote(store, made, task.slot, user)
        answer_vote(store, made, task.slot, user, COLD, spans=list(model))  # the model's words, once seen
    found = results(store, made, by="lead")
    given = {one.annotator: one for one in found[0].given}
    assert (given["an"].marked, given["an"].spans) == (((0, 2),), model)
    figure = overlap(found)
    assert figure is not None
    assert (figure.value, figure.n) == (0.5, 1)
    assert overview(store, made, by="lead").overlap == figure
    line = labels_file(store, made, by="lead").decode().splitlines()[0]
    assert '"vote": {"model": "m"' in line
    assert '"marked": [[0, 2]]' in line
    assert TEXTS[0][0:2] not in line, "words stay in the archive"
