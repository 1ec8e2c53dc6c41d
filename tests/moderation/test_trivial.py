"""Which edits are only spelling: what passes, and everything that could change the sense and must not."""

import pytest

from moderation.trivial import is_trivial


@pytest.mark.parametrize(
    "before, after",
    [
        ("It is sore in the evning.", "It is sore in the evening."),
        ("my back hurts", "My back hurts."),
        ("I recieved a letter, and walkd home.", "I received a letter; and walked home!"),
        ("The  docter said so", "The doctor said so"),
    ],
)
def test_spelling_passes(before: str, after: str) -> None:
    assert is_trivial(before, after)


@pytest.mark.parametrize(
    "before, after",
    [
        ("I can walk.", "I cannot walk."),
        ("It never helped.", "It newer helped."),
        ("I took 20 of them.", "I took 30 of them."),
        ("I had hypotension.", "I had hypertension."),
        ("I take metformin now.", "I take metforman now."),
        ("I take ramipril.", "I take ramiprol."),
        ("See example com for more.", "See example.com for more."),
        ("See https://a.example/one", "See https://a.example/onе"),
        ("Take the pill.", "Fake the pill."),
        ("It is legal here.", "It is illegal here."),
        ("It helped me.", "It helped me a lot."),
        ("One twoo thre fourr fivve.", "Onee two three four five."),
        ("less than > ten", "less than < ten"),
    ],
)
def test_what_may_change_the_sense_is_read(before: str, after: str) -> None:
    assert not is_trivial(before, after)
