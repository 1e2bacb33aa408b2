"""The fourteen actions of mini-AVA: eleven can be seen in a clip, three depend on what happened around it."""

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
