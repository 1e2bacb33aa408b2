"""Boxes of a csv as proposals."""

import pytest

from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.structures import Keyframe

HEADER = "video_id,frame,x1,y1,x2,y2,score\n"
FPS = ("--fps", 25)


def test_boxes_in_pixels_become_proposals(convert):
    content = (
        HEADER + "a.mp4,25,20,10,100,50,0.9\na.mp4,26,0,0,9,9,0.9\na.mp4,25,-10,0,20,20,0.25\nb.mp4,0,0,0,200,100,1\n"
    )
    done = convert("boxes", content, *FPS, "--size", "200x100", "--origin-second", 900)
    table = read_proposals(done.out / "proposals.csv")
    assert table.keyframes == [Keyframe("a", 901), Keyframe("b", 900)]
    found = table.above(Keyframe("a", 901), 0.0)
    assert found.boxes.tolist() == [[0.1, 0.1, 0.5, 0.5], [0.0, 0.0, 0.1, 0.2]]
    assert found.scores.tolist() == [0.9, 0.25]
    assert "cut at its edge (is the picture's size right?): 1" in done.printed


def test_fractions_seconds_and_a_file_without_header(convert):
    content = "a,1,0.1,0.1,0.5,0.5\na,1.5,0.1,0.1,0.5,0.5\na,2,0.1,0.1,0.5,0.5\n"
    done = convert("boxes", content, "--columns", "video_id,second,x1,y1,x2,y2")
    assert read_proposals(done.out / "proposals.csv").keyframes == [Keyframe("a", 1), Keyframe("a", 2)]
    assert "every box gets score 1" in done.printed


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", [], "no column 'x1'"),
        ("a,1,0.1,0.1,0.5,0.5\n", [], "a file without a header: --columns"),
        ("video_id,x1,y1,x2,y2\n", [], "no column 'frame' or 'second'"),
        (
            HEADER + "a,25,20,10,100,50,1\n",
            FPS,
            "row 2: box [20.0, 10.0, 100.0, 50.0] is in pixels; give the pictures' size",
        ),
        (HEADER + "a,25,.1,.1,.5,.5,1\n", [*FPS, "--size", "200x100"], "leave --size out"),
        (HEADER + "a,25,.1,.1,.5,.5,1\n", [], "with --fps"),
        (HEADER + "a,24,.1,.1,.5,.5,1\n", FPS, "no box lies on a whole second at 25"),
        (HEADER + "a,2.5,.1,.1,.5,.5,1\n", FPS, "row 2: frame is 2.5"),
        (HEADER + "a,-25,.1,.1,.5,.5,1\n", FPS, "frame -25"),
        (HEADER + "a,25,.1,.1,.5,.5,90\n", FPS, "row 2: score is 90, expected 0 to 1"),
        (HEADER + "a,25,.5,.1,.1,.5,1\n", FPS, "x1 <= x2"),
        (HEADER + "a,25,nan,.1,.1,.5,1\n", FPS, "row 2: x1 is 'nan'"),
        (HEADER + "a,25,left,.1,.1,.5,1\n", FPS, "row 2: x1 is 'left'"),
        (HEADER + "a,25,.1,.1,.5,.5\n", FPS, "row 2: 6 columns"),
        (HEADER + ",25,.1,.1,.5,.5,1\n", FPS, "row 2: no 'video_id'"),
        (HEADER + '"a,b",25,.1,.1,.5,.5,1\n', FPS, "cannot stand in a csv"),
        (HEADER + "a,25,.1,.1,.5,.5,1\n" + "x" * 200_000 + "\n", FPS, "not a readable csv"),
    ],
)
def test_other_files_are_one_line_with_row_and_column(convert, content, options, message):
    assert message in convert("boxes", content, *options).error


def test_times_before_the_start_and_beyond_all_videos_are_one_line(convert):
    content = HEADER.replace("frame", "second") + "a,{},.1,.1,.5,.5,1\n"
    for second in (-1, 3e8 * 10):
        assert "row 2: " in convert("boxes", content.format(second), *FPS).error
