"""CVAT's XML: tracks of a task, of a whole project, of several files; what holds the actions; hostile files."""

import pytest

SIZE = "<original_size><width>1000</width><height>500</height></original_size>"


def task(name="cam_a.mp4", extra="", number=1):
    return f"<task><id>{number}</id><name>{name}</name>{extra}{SIZE}</task>"


def annotations(*parts, meta=None):
    return f"<annotations><version>1.1</version><meta>{meta or task()}</meta>{''.join(parts)}</annotations>"


def attribute(name, value):
    return f'<attribute name="{name}">{value}</attribute>'


def box(frame, *attributes, outside=0, corners=(100, 50, 300, 450), extra=""):
    sides = " ".join(f'{side}="{value}"' for side, value in zip(("xtl", "ytl", "xbr", "ybr"), corners, strict=True))
    return f'<box frame="{frame}" keyframe="1" outside="{outside}" occluded="0" {sides} {extra}>{"".join(attributes)}</box>'


def track(number, *boxes, label="person", extra=""):
    return f'<track id="{number}" label="{label}" {extra}>{"".join(boxes)}</track>'


WALKS = attribute("action", "walk")
FPS = ("--fps", 25)


def test_frames_nearest_to_whole_seconds_are_taken_and_persons_out_of_sight_are_not(convert):
    boxes = [box(frame, WALKS, outside=int(frame >= 75)) for frame in range(100)]
    done = convert("cvat", annotations(track(3, *boxes)), *FPS)
    assert done.rows == [f"cam_a,000{second},0.100,0.100,0.300,0.900,1,3" for second in range(3)]


def test_other_frame_rates_take_the_nearest_frame_of_each_second(convert):
    content = annotations(track(0, *(box(frame, WALKS) for frame in range(120))))
    # 29.97 per second: seconds 1, 2, 3 are nearest to frames 29.97, 59.94 and 89.91
    only = annotations(track(0, *(box(frame, WALKS) for frame in (0, 29, 30, 31, 59, 60, 61, 90))))
    assert convert("cvat", content, "--fps", "30000/1001").rows == convert("cvat", only, "--fps", "29.97").rows
    assert [row.split(",")[1] for row in convert("cvat", only, "--fps", "29.97").rows] == [
        "0000",
        "0001",
        "0002",
        "0003",
    ]


def test_a_box_has_every_action_that_is_set(convert):
    flags = [
        attribute("walk", "true"),
        attribute("talk", "false"),
        attribute("pose", "stand"),
        attribute("mood", "__undefined__"),
    ]
    done = convert("cvat", annotations(track(0, box(25, *flags))), *FPS)
    assert done.names == {1: "stand", 2: "walk"}
    assert done.rows == ["cam_a,0001,0.100,0.100,0.300,0.900,1,0", "cam_a,0001,0.100,0.100,0.300,0.900,2,0"]


def test_a_label_is_the_action_of_boxes_without_attributes(convert):
    done = convert("cvat", annotations(track(0, box(0), label="walk")), *FPS)
    assert done.names == {1: "walk"}


def test_a_person_of_whom_no_action_is_set_does_not_become_a_class(convert):
    done = convert(
        "cvat", annotations(track(0, box(0, attribute("walk", "false")), box(25, attribute("walk", "true")))), *FPS
    )
    assert done.names == {1: "walk"}
    assert len(done.rows) == 1
    assert "boxes without an action" in done.printed
    both = convert("cvat", annotations(track(0, box(0, attribute("walk", "false")))), *FPS, "--action-from", "label")
    assert both.names == {1: "person"}


def test_action_numbers_are_action_ids(convert):
    content = annotations(track(0, box(0, attribute("action_id", 3)), box(25, attribute("action_id", 7))))
    done = convert("cvat", content, *FPS)
    assert done.names == {3: "action 3", 7: "action 7"}
    assert [row.split(",")[6] for row in done.rows] == ["3", "7"]


def test_action_numbers_find_their_names_in_a_label_map(convert, tmp_path):
    (tmp_path / "map.pbtxt").write_text('item {\n  name: "sit"\n  id: 3\n}\nitem {\n  name: "bend"\n  id: 7\n}\n')
    content = annotations(track(0, box(0, attribute("action_id", 3)), box(25, attribute("action_id", 7))))
    assert convert("cvat", content, *FPS, "--label-map", tmp_path / "map.pbtxt").names == {3: "sit", 7: "bend"}


def test_other_numbers_are_no_actions_unless_the_user_says_so(convert):
    content = annotations(track(0, box(0, attribute("behaviour", 4))))
    assert "--action-from 'behaviour', or --action-from label" in convert("cvat", content, *FPS).error
    assert convert("cvat", content, *FPS, "--action-from", "behaviour").names == {4: "action 4"}
    assert convert("cvat", content, *FPS, "--action-from", "label").names == {1: "person"}
    worded = convert("cvat", annotations(track(0, box(0, WALKS, attribute("age", 40)))), *FPS)
    assert worded.names == {1: "walk"}
    assert "'age' is not used" in worded.printed


@pytest.mark.parametrize("number", ["0", "-3", "2.5", "10001", "9" * 400])
def test_numbers_that_are_no_ids_are_refused(convert, number):
    assert (
        "expected an action id"
        in convert("cvat", annotations(track(0, box(0, attribute("action_id", number)))), *FPS).error
    )


def test_one_call_gives_an_action_one_id_over_its_files_and_a_label_map_over_calls(convert):
    first = annotations(track(0, box(0, WALKS), box(25, attribute("action", "sit"))), meta=task("cam_a.mp4"))
    second = annotations(track(0, box(0, attribute("action", "bend")), box(25, WALKS)), meta=task("cam_b.mp4"))
    together = convert("cvat", [first, second], *FPS)
    assert together.names == {1: "bend", 2: "sit", 3: "walk"}
    assert together.rows == [
        "cam_a,0000,0.100,0.100,0.300,0.900,3,0",
        "cam_a,0001,0.100,0.100,0.300,0.900,2,0",
        "cam_b,0000,0.100,0.100,0.300,0.900,1,0",
        "cam_b,0001,0.100,0.100,0.300,0.900,3,0",
    ]
    alone = convert("cvat", first, *FPS)
    assert alone.names == {1: "sit", 2: "walk"}
    assert f"--label-map={alone.out / 'action_list.pbtxt'}" in alone.printed
    for option in (["--label-map", alone.out / "action_list.pbtxt"], [f"label_map={alone.out / 'action_list.pbtxt'}"]):
        following = convert("cvat", second, *FPS, *option)
        assert following.names == {1: "sit", 2: "walk", 3: "bend"}
        assert [row.split(",")[6] for row in following.rows] == ["3", "2"]
        assert "new in the label map: 3 'bend'" in following.printed


def project(*tasks):
    return f"<project><id>9</id><name>shop</name><tasks>{''.join(tasks)}</tasks></project>"


def extent(size, start=0, step=None, subset="", source=""):
    filtered = f"<frame_filter>step={step}</frame_filter>" if step else ""
    return (
        f"<size>{size}</size><start_frame>{start}</start_frame>{filtered}<subset>{subset}</subset>"
        f"<segments><segment><id>5</id><start>0</start><stop>{size - 1}</stop></segment></segments>"
        + (f"<source>{source}</source>" if source else "")
    )


def test_a_projects_tasks_are_videos_whose_frames_are_counted_on_from_one_to_the_next(convert):
    """CVAT adds start_frame + step * size of the tasks before, within a subset, to a task's frames."""
    tasks = [
        task("one", extent(250, source="cam_a.mp4"), 4),
        task("two", extent(50, start=25, step=5, source="cam_b.mp4"), 7),
        task("three", extent(100, source="cam_c.mp4"), 8),
        task("four", extent(100, subset="val", source="cam_d.mp4"), 9),
    ]
    content = annotations(
        track(0, box(25, WALKS), extra='task_id="4"'),
        track(1, box(250 + 50, WALKS), extra='task_id="7"'),
        track(2, box(250 + 25 + 250 + 75, WALKS), extra='task_id="8"'),
        track(3, box(50, WALKS), extra='task_id="9"'),
        meta=project(*tasks),
    )
    done = convert("cvat", content, *FPS)
    where = ",0.100,0.100,0.300,0.900,1,"
    assert [row.split(where) for row in done.rows] == [
        ["cam_a,0001", "0"],
        ["cam_b,0002", "1"],
        ["cam_c,0003", "2"],
        ["cam_d,0002", "3"],
    ]
    assert "task 7: frames are counted on from the tasks before it; 250 taken off" in done.printed


@pytest.mark.parametrize("sizes", [(extent(250), extent(250)), ("", "")])
def test_a_projects_tasks_may_also_have_their_videos_own_frame_numbers(convert, sizes):
    tasks = [task("cam_a.mp4", sizes[0], 1), task("cam_b.mp4", sizes[1], 2)]
    content = annotations(
        track(0, box(25, WALKS), extra='task_id="1"'),
        track(1, box(50, WALKS), extra='task_id="2"'),
        meta=project(*tasks),
    )
    assert [row.split(",")[:2] for row in convert("cvat", content, *FPS).rows] == [["cam_a", "0001"], ["cam_b", "0002"]]


def test_frames_that_fit_no_numbering_are_refused(convert):
    tasks = [task("cam_a.mp4", extent(100), 1), task("cam_b.mp4", extent(100), 2)]
    content = annotations(track(0, box(500, WALKS), extra='task_id="2"'), meta=project(*tasks))
    assert "task 2: boxes on frames 500 to 500" in convert("cvat", content, *FPS).error


@pytest.mark.parametrize(
    ("extra", "message"),
    [("", "no 'task_id'"), ('task_id="8"', "'task_id' is '8', which is no task of the file's 'meta'")],
)
def test_a_projects_track_of_no_task_is_refused(convert, extra, message):
    content = annotations(track(0, box(0, WALKS), extra=extra), meta=project(task(number=1), task("b.mp4", number=2)))
    assert message in convert("cvat", content, *FPS).error


def test_persons_of_several_files_of_one_video_do_not_share_ids(convert):
    first = annotations(track(0, box(0, WALKS)), track(1, box(0, WALKS, corners=(0, 0, 100, 100))))
    second = annotations(track(0, box(250, WALKS)), track(1, box(250, WALKS, corners=(0, 0, 100, 100))))
    done = convert("cvat", [first, second], *FPS)
    assert [row.split(",")[7] for row in done.rows] == ["0", "1", "2", "3"]
    assert "2 is added to the person ids of" in done.printed


def test_a_second_annotated_twice_is_refused(convert):
    content = annotations(track(0, box(0, WALKS)))
    assert "second 0 of video 'cam_a' is annotated in" in convert("cvat", [content, content], *FPS).error


def test_images_of_a_video_task_have_frames_and_no_identities(convert):
    def image(frame, *boxes):
        return f'<image id="{frame}" name="frame_{frame:06d}" width="200" height="100">{"".join(boxes)}</image>'

    flat = f'<box label="person" occluded="0" xtl="20" ytl="10" xbr="100" ybr="50">{WALKS}</box>'
    done = convert("cvat", annotations(image(25, flat), image(26, flat), image(50, flat)), *FPS)
    assert done.rows == ["cam_a,0001,0.100,0.100,0.500,0.500,1,1", "cam_a,0002,0.100,0.100,0.500,0.500,1,2"]
    assert "boxes without a track in the file, each a person of its own" in done.printed
    person = flat.replace(WALKS, WALKS + attribute("who", "4"))
    done = convert("cvat", annotations(image(25, person), image(50, person)), *FPS, "--person-from", "who")
    assert [row.split(",")[7] for row in done.rows] == ["4", "4"]


def test_pictures_of_which_no_frame_is_known_are_refused_until_their_names_are_explained(convert):
    flat = '<box label="walk" occluded="0" xtl="20" ytl="10" xbr="100" ybr="50"/>'
    content = annotations(
        f'<image id="0" name="cam_b/img_000050.jpg" width="200" height="100">{flat}</image>',
        meta="<task><id>1</id><name>pictures</name></task>",
    )
    assert "image 0: no frame number: 'cam_b/img_000050.jpg'" in convert("cvat", content, *FPS).error
    named = convert("cvat", content, *FPS, "--frame-name", r"(?P<video>\w+)/img_(?P<frame>\d+)")
    assert named.rows == ["cam_b,0002,0.100,0.100,0.500,0.500,1,1"]


def test_rotated_boxes_become_the_upright_box_around_them(convert):
    # 200 x 400 around (500, 250), turned by 90 degrees: 400 x 200
    content = annotations(track(0, box(0, WALKS, corners=(400, 50, 600, 450), extra='rotation="90.00"')))
    assert convert("cvat", content, *FPS).rows == ["cam_a,0000,0.300,0.300,0.700,0.700,1,0"]


def test_boxes_are_cut_at_the_pictures_edge_and_left_out_beyond_it(convert):
    content = annotations(
        track(0, box(0, WALKS, corners=(-100, 50, 300, 450))), track(1, box(0, WALKS, corners=(1200, 50, 1300, 450)))
    )
    done = convert("cvat", content, *FPS)
    assert done.rows == ["cam_a,0000,0.000,0.100,0.300,0.900,1,0"]
    assert "cut at its edge (is the picture's size right?): 1" in done.printed
    assert "left out (is the picture's size right?): 1" in done.printed


def test_shapes_that_are_no_boxes_are_counted(convert):
    shape = '<polygon frame="0" points="1,1;2,2;3,1" outside="0"/>'
    done = convert("cvat", annotations(track(0, box(0, WALKS)), track(1, shape, shape)), *FPS)
    assert "shapes of the kind 'polygon', left out: 2" in done.printed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no element found"),
        ("<annotations><meta>", "not a readable XML"),
        ("PK\x03\x04", "not a readable XML"),
        ("<html/>", "the outermost element is <html>, expected <annotations>"),
        ("<annotations/>", "no 'meta'"),
        ("<annotations><meta/></annotations>", "no 'task', 'job' or 'project'"),
        (annotations(track(0, box(0, WALKS))).replace(SIZE, ""), "no 'original_size'"),
        (annotations(track(0, box(0, WALKS))).replace("<width>1000</width>", ""), "'width' is ''"),
        (annotations(track(0, box(0, WALKS))).replace("1000", "0"), "the picture's size is 0x500"),
        (annotations(track(0, box(0, WALKS))).replace('frame="0"', ""), "track 0: <box> has no 'frame'"),
        (annotations(track(0, box(0, WALKS))).replace('frame="0"', 'frame="-1"'), "'frame' is '-1'"),
        (annotations(track(0, box(0, WALKS))).replace('track id="0"', "track"), "<track> has no 'id'"),
        (annotations(track(0, box(0, WALKS))).replace('xtl="100"', ""), "<box> has no 'xtl'"),
        (annotations(track(0, box(0, WALKS))).replace('xtl="100"', 'xtl="left"'), "'xtl' is 'left'"),
        (annotations(track(0, box(0, WALKS))).replace('xtl="100"', 'xtl="nan"'), "expected finite"),
        (annotations(track(0, box(0, WALKS))).replace('xtl="100"', 'xtl="900"'), "x1 <= x2"),
        (annotations(track(0, box(0, WALKS))).replace('name="action"', ""), "<attribute> has no 'name'"),
        (annotations(track(0, box(0, WALKS))).replace("cam_a.mp4", "a,b.mp4"), "cannot stand in a csv"),
        (annotations(track(0, box(0, WALKS))).replace("walk", "w" * 300), "longer than 200"),
        (annotations(track(0, box(1, WALKS))), "no box with an action lies on a whole second at 25 frames per second"),
        (annotations(), "no box with an action"),
    ],
)
def test_other_files_are_one_line(convert, content, message):
    assert message in convert("cvat", content, *FPS).error


def test_frames_without_a_rate_are_one_line(convert):
    assert "with --fps" in convert("cvat", annotations(track(0, box(0, WALKS)))).error


@pytest.mark.parametrize("fps", ["0", "-1", "abc", "nan", "1e9", "25/0", "0/25", ""])
def test_rates_that_are_none_are_one_line(convert, fps):
    assert "--fps: " in convert("cvat", annotations(track(0, box(0, WALKS))), f"--fps={fps}").error


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE annotations [<!ENTITY l0 "ha">{LAUGHS}]>',
        '<!DOCTYPE annotations [<!ENTITY l9 SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE annotations SYSTEM "http://127.0.0.1:9/a.dtd">',
    ],
)
def test_entities_are_refused_before_they_are_anything(convert, doctype):
    content = '<?xml version="1.0"?>' + doctype + annotations(track(0, box(0, attribute("action", "&l9;"))))
    assert "document type declaration" in convert("cvat", content, *FPS).error


def test_deep_and_wide_xml_is_refused(convert, monkeypatch):
    assert "nested deeper" in convert("cvat", "<annotations>" + "<a>" * 100_000, *FPS).error
    inside = track(0, box(0, "<attribute>" * 100_000))
    assert "nested deeper" in convert("cvat", annotations(inside), *FPS).error
    monkeypatch.setattr("lfb_lightning.converters.xml_parts._MOST_PARTS", 1000)
    assert "more than 1000 parts" in convert("cvat", annotations(track(0, box(0, WALKS * 1001))), *FPS).error
    monkeypatch.setattr("lfb_lightning.converters.xml_parts._MOST_OTHERS", 1000)
    assert "more than 1000 elements" in convert("cvat", annotations("<a/>" * 1001), *FPS).error


def test_a_tag_without_an_end_is_refused(convert):
    """The parser reads an unfinished tag again with every chunk: a long one takes quadratic time."""
    assert "a tag is longer than" in convert("cvat", annotations(track(0, label="p" * 6_000_000)), *FPS).error
