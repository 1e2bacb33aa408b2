"""The actions of mini-AVA and of mini-AVA hard: some can be seen in a clip, three depend on what happened around it."""

COLOR_IDS = (1, 2, 3, 4, 5)
MOTION_IDS = (6, 7, 8)
CUE_IDS = (9, 10, 11)
AFTER_IDS = (12, 13, 14)

ACTION_NAMES = {
    1: "be red",
    2: "be green",
    3: "be blue",
    4: "be yellow",
    5: "be purple",
    6: "stand still",
    7: "sway sideways",
    8: "bob up and down",
    9: "show a disc",
    10: "show a cross",
    11: "show bars",
    12: "pulse around a disc",
    13: "pulse around a cross",
    14: "pulse around bars",
}

SHORT_TERM_IDS = (*COLOR_IDS, *MOTION_IDS, *CUE_IDS)
LONG_TERM_IDS = AFTER_IDS

HARD_WALK_ID = 1
HARD_CUE_IDS = (2, 3, 4)
HARD_AFTER_IDS = (5, 6, 7)

HARD_ACTION_NAMES = {
    HARD_WALK_ID: "walk around",
    **{new: ACTION_NAMES[old] for new, old in zip(HARD_CUE_IDS, CUE_IDS, strict=True)},
    **{new: ACTION_NAMES[old] for new, old in zip(HARD_AFTER_IDS, AFTER_IDS, strict=True)},
}
