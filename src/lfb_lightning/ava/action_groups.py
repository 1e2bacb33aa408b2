"""AVA's 80 actions and the three groups that results on AVA are reported by.

The ids of AVA's label map run through the groups: 1 to 14, 15 to 63 and 64 to 80. Another data set's map has other actions
under these ids, so the groups mean nothing there.
"""

from __future__ import annotations

from lfb_lightning.ava.label_map import LabelMap

_NAMES = {
    "person_movement": """
        bend/bow (at the waist); crawl; crouch/kneel; dance; fall down; get up; jump/leap; lie/sleep; martial art; run/jog;
        sit; stand; swim; walk
        """,
    "object_manipulation": """
        answer phone; brush teeth; carry/hold (an object); catch (an object); chop; climb (e.g., a mountain); clink glass;
        close (e.g., a door, a box); cook; cut; dig; dress/put on clothing; drink; drive (e.g., a car, a truck); eat; enter;
        exit; extract; fishing; hit (an object); kick (an object); lift/pick up; listen (e.g., to music);
        open (e.g., a window, a car door); paint; play board game; play musical instrument; play with pets;
        point to (an object); press; pull (an object); push (an object); put down; read;
        ride (e.g., a bike, a car, a horse); row boat; sail boat; shoot; shovel; smoke; stir; take a photo;
        text on/look at a cellphone; throw; touch (an object); turn (e.g., a screwdriver); watch (e.g., TV);
        work on a computer; write
        """,
    "person_interaction": """
        fight/hit (a person); give/serve (an object) to (a person); grab (a person); hand clap; hand shake; hand wave;
        hug (a person); kick (a person); kiss (a person); lift (a person); listen to (a person); play with kids;
        push (another person); sing to (e.g., self, a person, a group); take (an object) from (a person);
        talk to (e.g., self, a person, a group); watch (a person)
        """,
}


def _letters(name: str) -> str:
    """A name without case, blanks and punctuation."""
    return "".join(filter(str.isalnum, name.casefold()))


_ACTIONS = [(group, _letters(name)) for group, names in _NAMES.items() for name in names.split(";")]
_GROUP_OF = dict(enumerate((group for group, _ in _ACTIONS), 1))
_LETTERS_OF = dict(enumerate((letters for _, letters in _ACTIONS), 1))


def ava_groups(label_map: LabelMap) -> dict[str, list[int]]:
    """The evaluated ids of each group that has any, by its name; none unless the label map is AVA's, or a part of it."""
    whole = label_map.whole or label_map
    if any(_letters(name) != _LETTERS_OF.get(key) for key, name in whole.names.items()):
        return {}
    groups: dict[str, list[int]] = {}
    for key in label_map.ids:
        groups.setdefault(_GROUP_OF[key], []).append(key)
    return groups


def ava_action_names() -> dict[int, str]:
    """Give the names of AVA's 80 actions by id."""
    names = [" ".join(name.split()) for names in _NAMES.values() for name in names.split(";")]
    return dict(enumerate(names, 1))
