"""VIA's JSON of versions 3 and 2."""

import copy
import json

import pytest

SIZE = ("--size", "200x100")
ATTRIBUTES = {
    "1": {"aname": "posture", "type": 3, "options": {"0": "stand", "1": "sit"}},
    "2": {"aname": "does", "type": 2, "options": {"0": "walk", "1": "talk"}},
    "3": {"aname": "who", "type": 1, "options": {}},
}


def project(files, *regions):
    usual = {"vid": "1", "flg": 0, "z": [], "av": {"2": "0"}}
    metadata = {f"m{number}": usual | region for number, region in enumerate(regions)}
    listed = {str(fid): {"fid": fid, "loc": 1, "src": "", **file} for fid, file in enumerate(files, 1)}
    views = {name: {"fid_list": [name]} for name in listed}
    return {"project": {}, "attribute": ATTRIBUTES, "file": listed, "metadata": metadata, "view": views}


VIDEO = {"fname": "cam_a.mp4", "type": 4}
PICTURES = [{"fname": f"cam_{name}_{frame:06d}.jpg", "type": 2} for name, frame in (("a", 1), ("a", 31), ("b", 46))]
NAMED = ("--frame-name", r"(?P<video>\w+)_(?P<frame>\d+)", "--first-frame", 1, "--fps", 30)


def test_regions_of_a_video(convert):
    content = project(
        [VIDEO],
        {"z": [1.0], "xy": [2, 20, 10, 80, 40], "av": {"1": "1", "2": "0,1"}},
        {"z": [2.0133], "xy": [2, 0, 0, 20, 20]},  # the frame after second 2
        {"z": [3.0067], "xy": [2, 0, 0, 20, 20], "av": {"2": ""}},
        {"z": [2.9933], "xy": [2, 0, 0, 20, 20]},  # in frame 90 of 30 a second, by a browser's clock
        {"z": [1.0, 4.0], "xy": []},
        {"z": [1.0], "xy": [7, 1, 1, 5, 5, 1, 5]},
    )
    done = convert("via", json.dumps(content), *SIZE, "--fps", 30)
    assert done.names == {1: "sit", 2: "talk", 3: "walk"}
    assert done.rows == [
        *(f"cam_a,0001,0.100,0.100,0.500,0.500,{action},1" for action in (1, 2, 3)),
        "cam_a,0002,0.000,0.000,0.100,0.200,3,2",
        "cam_a,0003,0.000,0.000,0.100,0.200,3,3",
    ]
    for note in ("boxes without a track", "boxes without an action", "stretch of time", "no rectangles"):
        assert note in done.printed
    whole_seconds_only = convert("via", json.dumps(content), *SIZE)
    assert [row.split(",")[1] for row in whole_seconds_only.rows] == ["0001"] * 3


def test_identities_in_an_attribute(convert):
    names = {1: "ann", 2: "bob", 3: "ann"}
    regions = [{"z": [time], "xy": [2, 20, 10, 80, 40], "av": {"2": "0", "3": who}} for time, who in names.items()]
    content = json.dumps(project([VIDEO], *regions))
    done = convert("via", content, *SIZE, "--person-from", "who")
    assert [row.split(",")[6:] for row in done.rows] == [["1", "1"], ["1", "2"], ["1", "1"]]
    assert done.names == {1: "walk"}
    assert convert("via", content, *SIZE, "--action-from", "does").names == {1: "walk"}


def test_pictures_of_version_3(convert):
    content = json.dumps(project(PICTURES, *({"vid": str(n), "xy": [2, 20, 10, 80, 40]} for n in (1, 2, 3))))
    assert "'cam_a_000001.jpg' is a picture and no video" in convert("via", content, *SIZE).error
    done = convert("via", content, *SIZE, *NAMED)
    assert [row.split(",")[:2] for row in done.rows] == [["cam_a", "0000"], ["cam_a", "0001"]]
    unnamed = convert("via", content, *SIZE, "--frame-name", r"(?P<frame>\d+)", "--fps", 30)
    assert "no video" in unnamed.error


@pytest.mark.parametrize("whole_project", [True, False])
def test_version_2(convert, whole_project):
    shape = {"name": "rect", "x": 20, "y": 10, "width": 80, "height": 40}
    regions = [
        {"shape_attributes": shape, "region_attributes": {"does": {"walk": True, "talk": False}, "posture": "sit"}},
        {"shape_attributes": {"name": "circle", "cx": 1, "cy": 2, "r": 3}, "region_attributes": {}},
    ]
    images = {"x1": {"filename": "cam_a_000031.jpg", "size": 9, "regions": regions, "file_attributes": {}}}
    content = json.dumps({"_via_settings": {}, "_via_img_metadata": images} if whole_project else images)
    done = convert("via", content, *SIZE, *NAMED)
    assert done.names == {1: "sit", 2: "walk"}
    assert done.rows == [f"cam_a,0001,0.100,0.100,0.500,0.500,{action},1" for action in (1, 2)]


RIGHT = project([VIDEO], {"z": [1.0], "xy": [2, 20, 10, 80, 40], "av": {"2": "0"}})


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
        ("[]", "expected a project of VIA"),
        ('{"a": 1}', "expected a picture with 'filename' and 'regions'"),
        ('{"a": {"filename": "x"}}', "no 'regions'"),
        ('{"a": {"regions": [{}]}}', "no 'shape_attributes'"),
        (changed("file"), "no 'file'"),
        (changed("file", "1"), "file: no '1'"),
        (changed("file", "1", "fname"), "no 'fname'"),
        (changed("attribute"), "no 'attribute'"),
        (changed("attribute", "2"), "attribute: no '2'"),
        (changed("attribute", "2", "options", to={}), "options: no '0'"),
        (changed("metadata", "m0", "xy"), "metadata, m0: no 'xy'"),
        (changed("metadata", "m0", "xy", to=[2, 1]), "expected a list of 5 numbers"),
        (changed("metadata", "m0", "xy", to="2"), "no box with an action"),
        (changed("metadata", "m0", "z", to=[]), "expected a list of 1 numbers"),
        (changed("metadata", "m0", "z", to=[-1]), "m0: time -1, expected seconds"),
        (changed("metadata", "m0", "vid", to=None), "no 'vid'"),
        (changed("view", "1", "fid_list", to=[1, 2]), "'fid_list' holds several files"),
    ],
)
def test_other_files_are_one_line_with_place_and_key(convert, content, message):
    assert message in convert("via", content, *SIZE).error


def test_the_pictures_size_is_asked_for(convert):
    assert "--size WIDTHxHEIGHT" in convert("via", json.dumps(RIGHT)).error
