from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklet.cli.prompt_text import click, numbers, place, video_prompts
from masklet.video.mask_files import write_mask_file


def test_object_frame_and_the_rest():
    assert place("0:210,350", "") == (None, 0, "210,350")
    assert place(" 2@14:300,0,500,400 ", "") == (2, 14, "300,0,500,400")
    assert place("3:first:second.png", "") == (None, 3, "first:second.png")


@pytest.mark.parametrize("bad", ["", "210,350", "0:", ":1,2", "-1:1,2", "a@0:1,2", "@0:1,2", "1@:1,2", "1.5:1,2"])
def test_what_is_no_place_is_shown_with_an_example(bad: str):
    with pytest.raises(
        ValueError, match=r"cannot read the prompt '.*': expected \[OBJECT@\]FRAME:VALUES, such as 0:2,3$"
    ):
        place(bad, "0:2,3")


@pytest.mark.parametrize("bad", ["", "1", "1,2,3", "a,b", "1;2", "1,,2", "1,"])
def test_what_is_no_pair_of_numbers(bad: str):
    with pytest.raises(ValueError, match=r"expected 2 numbers with commas between them, such as 5,6$"):
        numbers(bad, 2, "5,6")


def test_a_minus_makes_a_click_negative():
    assert click("10,20", "") == ((10, 20), 1)
    assert click("-10,20", "") == ((10, 20), 0)
    assert click("-0,20.5", "") == ((0, 20.5), 0)


def test_prompts_are_gathered_by_frame_and_object():
    found = video_prompts(["0:1,2", "0:-3,4", "2@0:5,6"], ["0:7,8", "2@5:9,9"], ["2@0:0,0,9,9"], [])
    assert sorted(found) == [(0, 1), (0, 2), (5, 2)]
    assert found[0, 1].points == [(1, 2), (3, 4), (7, 8)]
    assert found[0, 1].labels == [1, 0, 0]
    assert found[0, 1].box is None
    assert found[0, 2].points == [(5, 6)]
    assert found[0, 2].box == (0, 0, 9, 9)
    assert found[5, 2].labels == [0]


def test_every_label_of_a_mask_file_is_an_object(tmp_path: Path):
    labels = np.zeros((4, 6), np.uint8)
    labels[0], labels[2] = 1, 5
    path = tmp_path / "first:frame.png"
    write_mask_file(path, labels)
    found = video_prompts([], [], [], [f"3:{path}"])
    assert sorted(found) == [(3, 1), (3, 5)]
    assert found[3, 1].mask_file == found[3, 5].mask_file == path
    assert np.array_equal(found[3, 5].mask, labels == 5)  # pyright: ignore[reportArgumentType]
    named = video_prompts([], [], [], [f"9@3:{path}"])
    assert sorted(named) == [(3, 9)]
    assert np.array_equal(named[3, 9].mask, labels > 0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="got a second mask for object 5 on frame 3: give one"):
        video_prompts([], [], [], [f"3:{path}", f"5@3:{path}"])


def test_an_empty_mask_file(tmp_path: Path):
    write_mask_file(tmp_path / "a.png", np.zeros((4, 6), np.uint8))
    with pytest.raises(ValueError, match=r"the mask file '.*a.png' holds no object: every pixel is 0"):
        video_prompts([], [], [], [f"0:{tmp_path / 'a.png'}"])


def test_a_missing_mask_file():
    with pytest.raises(FileNotFoundError, match="no such mask file"):
        video_prompts([], [], [], ["0:nowhere.png"])


def test_two_boxes_for_one_object():
    with pytest.raises(ValueError, match=r"got a second box '0:1,1,2,2' .*: name the objects, as in 2@0:1,1,2,2"):
        video_prompts([], [], ["0:0,0,5,5", "0:1,1,2,2"], [])


FINITE = st.floats(0, 1e6, allow_nan=False)


@given(
    named=st.none() | st.integers(0, 10**6),
    frame=st.integers(0, 10**9),
    x=FINITE,
    y=FINITE,
    negative=st.booleans(),
)
def test_what_is_written_is_read(named: int | None, frame: int, x: float, y: float, negative: bool):
    text = f"{'' if named is None else f'{named}@'}{frame}:{'-' if negative else ''}{x!r},{y!r}"
    ((key, prompt),) = video_prompts([text], [], [], []).items()
    assert key == (frame, 1 if named is None else named)
    assert prompt.points == [(x, y)]
    assert prompt.labels == [0 if negative else 1]


@given(st.text(max_size=12) | st.from_regex(r"(\d@)?\d:[-0-9.,e]{0,8}", fullmatch=True))
def test_any_text_is_read_or_explained(text: str):
    for lists in (([text], [], [], []), ([], [text], [], []), ([], [], [text], [])):
        try:
            found = video_prompts(*lists)
        except ValueError as error:
            said = str(error)
        else:
            said = "cannot read " if len(found) == 1 else ""
        assert said.startswith("cannot read ")
