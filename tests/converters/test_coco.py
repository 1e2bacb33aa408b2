"""COCO's JSON: frames of videos by their keys, by their names where the user explains them, and refusals."""

import copy
import json

import pytest

FPS = ("--fps", 25)
ROBOFLOW = r"(?P<video>.+)_mp4-(?P<frame>\d+)_jpg"


def coco(images, annotations, videos=("cam_a.mp4",), categories=("walk", "sit")):
    return {
        "videos": [{"id": number, "name": name} for number, name in enumerate(videos)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(categories)],
        "images": [{"id": number, "width": 200, "height": 100, **image} for number, image in enumerate(images)],
        "annotations": [{"category_id": 0, "bbox": [20, 10, 80, 40], **each} for each in annotations],
    }


def test_tracks_keep_their_ids_and_boxes_without_get_their_own(convert):
    content = coco(
        [{"video_id": 0, "frame_id": 25}, {"video_id": 0, "frame_index": 50}],
        [
            {"image_id": 0, "track_id": 7},
            {"image_id": 0, "bbox": [0, 0, 20, 20]},
            {"image_id": 0, "bbox": [0, 0, 20, 20], "category_id": 1},  # the same box: the same person
            {"image_id": 1, "instance_id": 7, "category_id": 1},
            {"image_id": 1, "bbox": [0, 0, 20, 20], "track_id": -1},
        ],
    )
    done = convert("coco", json.dumps(content), *FPS)
    assert done.names == {1: "sit", 2: "walk"}
    assert done.rows == [
        "cam_a,0001,0.100,0.100,0.500,0.500,2,7",
        "cam_a,0001,0.000,0.000,0.100,0.200,1,8",
        "cam_a,0001,0.000,0.000,0.100,0.200,2,8",
        "cam_a,0002,0.100,0.100,0.500,0.500,1,7",
        "cam_a,0002,0.000,0.000,0.100,0.200,2,9",
    ]
    assert (
        "boxes without a track in the file, each a person of its own whose id is in no other second: 3" in done.printed
    )


def test_several_actions_of_one_annotation(convert):
    content = coco([{"video_id": 0, "frame_id": 0}], [{"image_id": 0, "track_id": 0, "action_ids": [0, 1]}])
    assert [row.split(",")[6] for row in convert("coco", json.dumps(content), *FPS).rows] == ["1", "2"]


def test_attributes_are_actions_and_identities_only_if_the_user_says_so(convert):
    attributes = {"occluded": False, "track_id": 4, "talk": True, "pose": "stand", "who": "ann"}
    content = json.dumps(coco([{"video_id": 0, "frame_id": 0}], [{"image_id": 0, "attributes": attributes}]))
    plain = convert("coco", content, *FPS)
    assert plain.names == {1: "walk"}
    assert "the attribute 'talk', which is not used; see --action-from" in plain.printed
    assert plain.rows[0].endswith(",1,4")
    said = convert("coco", content, *FPS, "--action-from", "talk", "--action-from", "pose", "--person-from", "who")
    assert said.names == {1: "stand", 2: "talk"}
    assert said.rows[0].endswith(",1,1")


def test_tracks_of_two_boxes_in_one_second_are_no_identities(convert):
    content = coco(
        [{"video_id": 0, "frame_id": 0}],
        [{"image_id": 0, "track_id": 0}, {"image_id": 0, "track_id": 0, "bbox": [0, 0, 20, 20]}],
    )
    assert "track 0 has two boxes in second 0 of video 'cam_a'" in convert("coco", json.dumps(content), *FPS).error


def test_two_videos_of_one_name_are_not_mixed(convert):
    content = coco(
        [{"video_id": 0, "frame_id": 0}, {"video_id": 1, "frame_id": 25}],
        [{"image_id": 0, "track_id": 1}, {"image_id": 1, "track_id": 1}],
        videos=("monday/cam_a.mp4", "tuesday/cam_a.mp4"),
    )
    done = convert("coco", json.dumps(content), *FPS)
    assert [row.rpartition(",")[2] for row in done.rows] == ["1", "3"]
    content["images"][1]["frame_id"] = 0
    assert "second 0 of video 'cam_a' is annotated in" in convert("coco", json.dumps(content), *FPS).error


ROBOFLOWS = coco(
    [{"file_name": f"cam_a_mp4-{n:04d}_jpg.rf.0a1b.jpg"} for n in range(3)], [{"image_id": 1}, {"image_id": 2}]
)


def test_frames_are_not_guessed_from_names(convert):
    content = copy.deepcopy(ROBOFLOWS)
    del content["videos"]
    error = convert("coco", json.dumps(content), *FPS).error
    assert "image 1 (cam_a_mp4-0001_jpg.rf.0a1b.jpg): no 'video_id' and no 'frame_id'" in error
    assert "--frame-name 'REGEX'" in error
    with_video = convert("coco", json.dumps(content), *FPS, "--video", "shop").error
    assert "no 'frame_id'" in with_video
    assert "'video_id'" not in with_video
    # one picture per second, as the pictures were taken
    named = convert("coco", json.dumps(content), "--fps", 1, "--frame-name", ROBOFLOW)
    assert [row.split(",")[:2] for row in named.rows] == [["cam_a", "0001"], ["cam_a", "0002"]]
    from_one = convert("coco", json.dumps(content), "--fps", 1, "--frame-name", ROBOFLOW, "--first-frame", 1)
    assert [row.split(",")[1] for row in from_one.rows] == ["0000", "0001"]


def test_copies_of_one_frame_are_refused(convert):
    content = copy.deepcopy(ROBOFLOWS)
    content["images"][2]["file_name"] = "cam_a_mp4-0001_jpg.rf.ffff.jpg"
    error = convert("coco", json.dumps(content), "--fps", 1, "--frame-name", ROBOFLOW).error
    assert "images 1 and 2 are both frame 1 of video 'cam_a'" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--frame-name", "("], "no regular expression"),
        (["--frame-name", r"(\d+)"], "no group (?P<frame>...)"),
        (["--frame-name", r"(?P<frame>x+)"], "holds no frame number"),
        (["--frame-name", r"_(?P<frame>\w)"], "holds no frame number"),
        ([r"--frame-name=-(?P<frame>\d+)"], "no 'video_id'"),
        (["--frame-name", ROBOFLOW, "--first-frame", 9], "frame 1, but the first frame is number 9"),
        (["--first-frame", -1], "--first-frame: -1"),
        (["--origin-second", "nan"], "--origin-second"),
        (["--size", "12"], "--size"),
        (["--video", "a,b"], "cannot stand in a csv"),
    ],
)
def test_options_that_do_not_fit_are_one_line(convert, options, message):
    assert message in convert("coco", json.dumps(ROBOFLOWS), "--fps", 1, *options).error


RIGHT = coco([{"video_id": 0, "frame_id": 0}], [{"image_id": 0, "track_id": 0}])


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a readable json"),
        ("[" * 200_000, "not a readable json"),
        ("1" * 5000, "not a readable json"),
        ("[]", "expected an object with 'images'"),
        ("{}", "no 'images'"),
        (changed("images"), "no 'images'"),
        (changed("images", to={}), "'images' is a object of 0, expected a list"),
        (changed("images", 0, to=3), "images[0]: found 3"),
        (changed("images", 0, "id"), "images[0]: no 'id'"),
        (changed("images", 0, "width"), "image 0 (without file_name): no 'width'"),
        (changed("images", 0, "width", to="wide"), "'width' is 'wide', expected a number"),
        (changed("images", 0, "width", to=0), "the picture's size is 0x100"),
        (changed("images", 0, "frame_id"), "no 'frame_id'"),
        (changed("images", 0, "frame_id", to=-1), "'frame_id' is -1"),
        (changed("images", 0, "frame_id", to=2.5), "'frame_id' is 2.5"),
        (changed("images", 0, "frame_id", to=10**200), "'frame_id' is a very large number"),
        (changed("images", 0, "frame_id", to=True), "'frame_id' is True"),
        (changed("images", 0, "video_id", to=5), "'video_id' '5' is none of the file's 'videos'"),
        (changed("videos", 0, "name", to=[]), "'name' is a list of 0"),
        (changed("categories"), "no 'categories'"),
        (changed("categories", 0, "name"), "categories[0]: no 'name'"),
        (changed("annotations"), "no 'annotations'"),
        (changed("annotations", 0, "image_id"), "annotations[0]: no 'image_id'"),
        (changed("annotations", 0, "image_id", to=8), "'image_id' '8' is none of the file's 'images'"),
        (changed("annotations", 0, "category_id"), "no 'category_id'"),
        (changed("annotations", 0, "category_id", to=9), "category '9'"),
        (changed("annotations", 0, "action_ids", to=3), "no list of category ids"),
        (changed("annotations", 0, "action_ids", to=[[]]), "category '[]'"),
        (changed("annotations", 0, "bbox"), "no 'bbox'"),
        (changed("annotations", 0, "bbox", to=[1, 2, 3]), "expected a list of 4 numbers"),
        (changed("annotations", 0, "bbox", to=[1, 2, 3, None]), "expected 4 numbers"),
        (changed("annotations", 0, "bbox", to=[1, 2, float("nan"), 4]), "expected 4 numbers"),
        (changed("annotations", 0, "bbox", to=[1, 2, -3, 4]), "x1 <= x2"),
        (changed("annotations", 0, "track_id", to=[1]), "'track_id' is a list of 1"),
        (changed("annotations", 0, "attributes", to=[1]), "attributes: found a list of 1"),
    ],
)
def test_other_files_are_one_line_with_place_and_key(convert, content, message):
    assert message in convert("coco", content, *FPS).error


def test_a_videos_own_rate_counts_where_the_user_gives_none(convert):
    content = copy.deepcopy(RIGHT)
    content["images"][0]["frame_id"] = 30
    content["videos"][0]["fps"] = 29.97
    assert convert("coco", json.dumps(content)).rows[0].split(",")[1] == "0001"
    assert convert("coco", json.dumps(content), "--fps", 15).rows[0].split(",")[1] == "0002"
    content["videos"][0]["fps"] = "fast"
    assert "videos[0], fps: 'fast' found" in convert("coco", json.dumps(content)).error
