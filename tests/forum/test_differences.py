"""What changed between two texts."""

import random
import time

import pytest

from forum.differences import Segment, words


def test_words_taken_out_and_put_in_are_told_apart() -> None:
    assert words("It hurts a lot.", "It hurt a lot, then.") == (
        Segment("same", "It "),
        Segment("del", "hurts"),
        Segment("ins", "hurt"),
        Segment("same", " a lot"),
        Segment("ins", ", then"),
        Segment("same", "."),
    )


TEXTS = ["", "\n", "a\r\nb", "no stop", "One. Two! Three?\n\nFour", "!?" * 9_000, "word " * 4_000, "x" * 20_000]


@pytest.mark.parametrize("old", TEXTS)
@pytest.mark.parametrize("new", TEXTS)
def test_no_character_of_either_text_is_lost(old: str, new: str) -> None:
    found = words(old, new)
    assert "".join(s.text for s in found if s.op != "ins") == old
    assert "".join(s.text for s in found if s.op != "del") == new


def test_two_long_texts_of_few_words_are_compared_in_bounded_time() -> None:
    chance = random.Random(1)
    old, new = (" ".join(chance.choices([f"w{n}" for n in range(150)], k=5_000)) for _ in range(2))
    began = time.perf_counter()
    assert words(old, new)
    assert time.perf_counter() - began < 2
