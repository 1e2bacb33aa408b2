"""Labels cover as little of persons as possible, and do not jump."""

import numpy as np

from lfb_lightning.viz.label_places import Rectangle, choose_label, place_of
from lfb_lightning.viz.letter_fonts import USUAL_FONT, font_for
from lfb_lightning.viz.video_drawing import PersonPainter, Planes
from lfb_lightning.viz.video_persons import TrackedPerson

BOX = Rectangle(100, 100, 140, 200)
SIZE = (60, 20)
ABOVE, BELOW, RIGHT, LEFT = range(4)


def chosen(*others, usual=-1, box=BOX):
    kind, lines = choose_label(box, [SIZE], others, 400, 300, usual=usual)
    assert lines == 1
    return kind


def test_the_first_free_place_is_taken():
    above, below, right = (place_of(kind, BOX, SIZE, 400, 300) for kind in (ABOVE, BELOW, RIGHT))
    assert above == (100, 80, 160, 100)
    assert chosen() == ABOVE
    assert chosen(above) == BELOW
    assert chosen(above, below) == RIGHT
    assert chosen(above, below, right) == LEFT
    assert chosen(box=Rectangle(100, 0, 140, 100)) == BELOW  # there is no room above


def test_a_label_stays_where_it_is_unless_it_covers_something():
    assert chosen(usual=LEFT) == LEFT
    assert chosen(Rectangle(40, 100, 44, 110), usual=LEFT) == LEFT  # a thirtieth of the label is no reason
    assert chosen(Rectangle(40, 100, 100, 120), usual=LEFT) == ABOVE


def test_a_label_becomes_shorter_before_it_hides_somebody():
    sizes = [(20, 20), (60, 40), (60, 60)]
    assert choose_label(BOX, sizes, [], 400, 300, usual=-1) == (ABOVE, 3)
    crowd = [Rectangle(x, y, x + 38, y + 98) for x in range(20, 260, 40) for y in (0, 100, 200) if (x, y) != (100, 100)]
    assert choose_label(BOX, sizes, crowd, 400, 300, usual=-1) == (ABOVE, 1)  # a tenth of the person above


def test_labels_are_readable_and_inside_on_small_and_large_pictures():
    for width, height in ((320, 180), (3840, 2160)):
        planes = Planes(*(np.full(size, 128, np.uint8) for size in ((height, width), *[(height // 2, width // 2)] * 2)))
        before = planes.y.copy()
        person = TrackedPerson(track=3, box=(0.9, 0.0, 1.0, 0.3), actions=[("w" * 300, 0.5), ("stand", 0.9)])
        PersonPainter(width=width, height=height, bt709=True).draw(planes, [person], moment=0)
        changed = np.flatnonzero((planes.y != before).any(axis=1))
        letters = np.flatnonzero((planes.y > 200).any(axis=1))  # white letters on dark
        assert changed.max() < height
        assert letters.max() - letters.min() >= 2 * max(10, 0.018 * height)  # two lines


def test_fonts_have_the_letters_if_any_font_has():
    assert font_for("bend/bow 0.5") == USUAL_FONT
    assert font_for("Ж ж Ω") == USUAL_FONT
    assert font_for("\U0010fffd") == USUAL_FONT  # a letter that no font has


def test_boxes_outside_of_the_picture_are_cut():
    planes = Planes(np.zeros((40, 60), np.uint8), np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint8))
    person = TrackedPerson(track=0, box=(-0.5, -0.5, 1.5, 1.5), actions=[])
    PersonPainter(width=60, height=40, bt709=False).draw(planes, [person], moment=0)
    assert planes.y[30, 30] == 0
