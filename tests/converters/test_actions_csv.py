"""Boxes with actions in a csv: named columns, and AVA's own form."""

import pytest

HEADER = "video_id,second,x1,y1,x2,y2,action,person\n"


def test_named_columns_in_any_order_and_pixels(convert):
    content = "action,person,frame,video_id,x1,y1,x2,y2\nsit, Ann,25,a.mp4,20,10,100,50\nsit,Bob,26,a.mp4,0,0,9,9\nrun,Ann,50,a.mp4,0,0,200,100\n"  # fmt: skip # noqa: E501
    done = convert("csv", content, "--fps", 25, "--size", "200x100", "--origin-second", 900)
    assert done.rows == ["a,0901,0.100,0.100,0.500,0.500,2,1", "a,0902,0.000,0.000,1.000,1.000,1,1"]
    assert done.names == {1: "run", 2: "sit"}
    assert "lie on no whole second, left out: 1" in done.printed


def test_seconds_count_from_the_start_and_timestamps_are_as_they_are(convert):
    row = "v,3,0,0,1,1,sit,7\n"
    assert convert("csv", HEADER + row, "--origin-second", 900).rows == ["v,0903,0.000,0.000,1.000,1.000,1,7"]
    stamped = HEADER.replace("second", "timestamp")
    assert convert("csv", stamped + row, "--origin-second", 900).rows == ["v,0003,0.000,0.000,1.000,1.000,1,7"]


@pytest.mark.parametrize("person", [",5", ""])
def test_avas_own_form_needs_no_first_line(convert, person):
    done = convert("csv", f"-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80{person}\n", "--origin-second", 900)
    number = 5 if person else 1
    assert done.rows == [f"-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80,{number}"]
    assert done.names == {80: "action 80"}


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("video_id,second,x1,y1,x2,y2\nv,1,0,0,1,1\n", [], "no column 'action'"),
        ("video_id,x1,y1,x2,y2,action\nv,0,0,1,1,sit\n", [], "no column 'frame' or 'second'"),
        (HEADER + "v,1,0,0,1,1,,1\n", [], "a.csv, row 2: no 'action'."),
        (HEADER + ",1,0,0,1,1,sit,1\n", [], "a.csv, row 2: no 'video_id'; a file of one video: --video NAME."),
        (HEADER + "v,1,0,0,30,30,sit,1\n", [], "is in pixels"),
        (HEADER + "v,1,0,0,1,1,sit,1\n", ["--size", "640x480"], "leave --size out"),
        (HEADER + "v,x,0,0,1,1,sit,1\n", [], "a.csv, row 2: second is 'x', expected a number."),
        (HEADER + "v,1,0,0,1,1,sit\n", [], "a.csv, row 2: 7 columns"),
        (HEADER.replace("second", "frame") + "v,1,0,0,1,1,sit,1\n", [], "give their number per second with --fps"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(convert, content, options, message):
    assert message in convert("csv", content, *options).error
