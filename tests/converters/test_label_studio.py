"""Label Studio's JSON: interpolation, spans, frame rates, labels and choices; refusals with place and key."""

import copy
import json

import pytest


def key(frame, x=10.0, enabled=True, rate=24, **more):
    return (
        {"frame": frame, "x": x, "y": 10, "width": 20, "height": 80, "enabled": enabled, "rotation": 0}
        | ({"time": frame / rate} if rate else {})
        | more
    )


def region(*sequence, labels=("walk",), frames=240, duration=None, name="r1"):
    value = {"sequence": list(sequence), "framesCount": frames, "labels": list(labels)}
    if duration is not None:
        value["duration"] = duration
    return {"type": "videorectangle", "id": name, "from_name": "box", "to_name": "video", "value": value}


def export(*results, video="/data/upload/3/8f3a2b1c-cam_a.mp4", **more):
    return [
        {
            "id": 1,
            "data": {"video": video},
            "annotations": [{"id": 5, "was_cancelled": False, "result": list(results)}],
            **more,
        }
    ]


def test_boxes_move_linearly_between_keyframes(convert):
    """From x = 10 % at frame 24 to 50 % at frame 120: 10 % per second; there until the video's end, ten seconds."""
    done = convert("label-studio", json.dumps(export(region(key(24), key(120, x=50.0)))))
    assert done.rows == [
        *(f"cam_a,000{s},{s / 10:.3f},0.100,{s / 10 + 0.2:.3f},0.900,1,1" for s in range(1, 5)),
        *(f"cam_a,000{s},0.500,0.100,0.700,0.900,1,1" for s in range(5, 10)),
    ]


def test_keyframes_in_any_order_and_between_seconds(convert):
    """From 0 % at frame 12 to 40 % at frame 60: second 1 (frame 24) is a quarter of the way, second 2 three quarters."""
    done = convert("label-studio", json.dumps(export(region(key(60, x=40.0, enabled=False), key(12, x=0.0)))))
    assert done.rows == ["cam_a,0001,0.100,0.100,0.300,0.900,1,1", "cam_a,0002,0.300,0.100,0.500,0.900,1,1"]


def test_persons_are_out_of_sight_between_a_disabled_keyframe_and_the_next(convert):
    sequence = [key(24), key(48, enabled=False), key(96), key(130, enabled=False)]
    done = convert("label-studio", json.dumps(export(region(*sequence))))
    assert [row.split(",")[1] for row in done.rows] == ["0001", "0002", "0004", "0005"]


def test_the_first_frame_is_shown_at_time_0(convert):
    done = convert("label-studio", json.dumps(export(region(key(1), key(30, enabled=False)))))
    assert [row.split(",")[1] for row in done.rows] == ["0000", "0001"]


@pytest.mark.parametrize(
    ("sequence", "duration", "options"),
    [
        ([key(50, rate=50), key(100, rate=50, enabled=False)], None, []),
        ([key(50, rate=None), key(100, rate=None, enabled=False)], 4.79, []),  # 239.5 frames are 240
        ([key(50, rate=None), key(100, rate=None, enabled=False)], None, ["--fps", 50]),
        ([key(50, rate=50), key(100, rate=50, enabled=False)], None, ["--fps", 50]),
    ],
)
def test_the_rate_is_the_files_own(convert, sequence, duration, options):
    done = convert("label-studio", json.dumps(export(region(*sequence, duration=duration))), *options)
    assert [row.split(",")[1] for row in done.rows] == ["0001", "0002"]


def test_a_rate_that_is_not_the_files_is_refused(convert):
    """Label Studio numbers frames at 24 per second unless told otherwise, whatever the video's rate is."""
    content = json.dumps(export(region(key(24))))
    error = convert("label-studio", content, "--fps", 25).error
    assert "numbered at 24 per second (Label Studio's frameRate), but --fps is 25" in error


def test_every_track_has_its_id_and_its_labels(convert):
    labels = {"type": "labels", "id": "r2", "from_name": "tag", "value": {"labels": ["sit", "talk"]}}
    results = [region(key(24, enabled=False)), region(key(24, x=60, enabled=False), labels=(), name="r2"), labels]
    done = convert("label-studio", json.dumps(export(*results)))
    assert done.names == {1: "sit", 2: "talk", 3: "walk"}
    assert done.rows == [
        "cam_a,0001,0.100,0.100,0.300,0.900,3,1",
        "cam_a,0001,0.600,0.100,0.800,0.900,1,2",
        "cam_a,0001,0.600,0.100,0.800,0.900,2,2",
    ]


def test_choices_about_a_region_are_its_actions_and_the_label_what_it_is(convert):
    choice = {"type": "choices", "id": "r1", "from_name": "does", "value": {"choices": ["run"]}}
    content = json.dumps(export(region(key(24, enabled=False), labels=("person",)), choice))
    assert convert("label-studio", content).names == {1: "run"}
    assert convert("label-studio", content, "--action-from", "label").names == {1: "person"}


def test_cancelled_annotations_do_not_count_and_two_annotators_are_not_mixed(convert):
    content = export(region(key(24, enabled=False)))
    content[0]["annotations"].append(copy.deepcopy(content[0]["annotations"][0]))
    assert "second 1 of video 'cam_a' is annotated in" in convert("label-studio", json.dumps(content)).error
    content[0]["annotations"][1]["was_cancelled"] = True
    assert len(convert("label-studio", json.dumps(content)).rows) == 1


@pytest.mark.parametrize(
    ("video", "video_id"),
    [
        ("/data/upload/3/8f3a2b1c-cam_a.mp4", "cam_a"),
        ("/data/local-files/?d=shop/cam%20a.mp4", "cam a"),
        ("s3://bucket/shop/8f3a2b1c-cam.MP4", "8f3a2b1c-cam"),
        ("https://host/shop/cam.v2.webm", "cam.v2"),
    ],
)
def test_video_ids_are_file_names(convert, video, video_id):
    content = json.dumps(export(region(key(24, enabled=False)), video=video))
    assert convert("label-studio", content).rows[0].split(",")[0] == video_id
    assert convert("label-studio", content, "--video", "mine").rows[0].split(",")[0] == "mine"


def test_rotated_boxes_need_the_pictures_size(convert):
    """A box of 20 x 40 percent of 200 x 100 pixels, turned by 90 degrees about its corner at (100, 20): 40 x 40 pixels."""
    turned = key(24, x=50.0, y=20, width=20, height=40, rotation=90, enabled=False)
    content = json.dumps(export(region(turned)))
    assert "--size" in convert("label-studio", content).error
    assert convert("label-studio", content, "--size", "200x100").rows == ["cam_a,0001,0.300,0.200,0.500,0.600,1,1"]


def test_a_track_without_an_end_ends_with_its_last_keyframe(convert):
    content = export(region(key(24), key(48)))
    del content[0]["annotations"][0]["result"][0]["value"]["framesCount"]
    done = convert("label-studio", json.dumps(content))
    assert len(done.rows) == 2
    assert "no 'framesCount': the track ends with its last keyframe" in done.printed


def test_endless_tracks_are_refused(convert, monkeypatch):
    monkeypatch.setattr("lfb_lightning.converters.tables._MOST_BOXES", 1000)
    assert "more than 1000 boxes" in convert("label-studio", json.dumps(export(region(key(24), frames=10**9)))).error


RIGHT = export(region(key(24)))


def changed(*path, to=None):
    content = copy.deepcopy(RIGHT)
    place = content
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return json.dumps(content)


RESULT = (0, "annotations", 0, "result", 0)
VALUE = (*RESULT, "value")
KEY = (*VALUE, "sequence", 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "task 0: found 1, expected a task"),
        (
            json.dumps([{"video": "a.mp4", "box": []}]),
            "no 'annotations'; expected Label Studio's export 'JSON'",
        ),
        (changed(0, "annotations", 0, "result"), "no 'result'"),
        (changed(*RESULT, to=7), "result[0]: found 7"),
        (changed(*VALUE), "no 'value'"),
        (changed(*VALUE, "sequence"), "no 'sequence'"),
        (changed(*VALUE, "sequence", to=[key(24), key(24)]), "two keyframes of the sequence have the same 'frame'"),
        (changed(*VALUE, "labels", to="walk"), "'labels' is no list of texts"),
        (changed(*VALUE, "framesCount", to="many"), "'framesCount' is 'many'"),
        (changed(*KEY, "frame"), "sequence[0]: no 'frame'"),
        (changed(*KEY, "x"), "sequence[0]: no 'x'"),
        (changed(*KEY, "width", to=-5), "x1 <= x2"),
        (changed(*KEY, "time"), "no 'time' in the sequence and no 'duration'"),
        (changed(0, "data"), "no video in 'data' and no 'file_upload'; name the video with --video"),
        (changed(0, "data", to={"a": "a.mp4", "b": "b.mp4"}), "2 videos in 'data'"),
    ],
)
def test_other_files_are_one_line_with_place_and_key(convert, content, message):
    assert message in convert("label-studio", content).error


@pytest.mark.parametrize("time", [1e300, 1e-300])
def test_times_that_are_no_frame_rate_are_one_line(convert, time):
    assert "is no frame rate" in convert("label-studio", changed(*KEY, "time", to=time)).error
