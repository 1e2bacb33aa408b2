// Who is where at any second, by the rule of video_persons.py, and which of their actions are shown in which color.

function personsAt(second) {
  const before = lastUpTo(moments, second), after = before + 1;
  const early = before >= 0 ? rowsAt[before] : [], late = after < moments.length ? rowsAt[after] : [];
  const still = (rows) => rows.map((row) => ({ row, box: boxOf(row) }));
  const step = before >= 0 && after < moments.length ? moments[after] - moments[before] : Infinity;
  if (step > LONGEST_STEP) {
    const shown = before >= 0 && second - moments[before] < hold(before) ? still(early) : [];
    return after < moments.length && moments[after] - second <= hold(before) ? [...shown, ...still(late)] : shown;
  }
  const part = (second - moments[before]) / step;
  const [near, far] = part < 0.5 ? [early, late] : [late, early];
  return near.map((row) => {
    const other = far.find((candidate) => rowTrack[candidate] === rowTrack[row]);
    const here = boxOf(row);
    if (other === undefined) return { row, box: here };
    const there = boxOf(other), moved = part < 0.5 ? part : 1 - part;
    return { row, box: here.map((value, side) => value + moved * (there[side] - value)) };
  });
}

const COLORS = ["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"]; // Okabe and Ito
const OTHER_COLOR = "#999999";
const state = {
  now: 0, track: null, pinned: null, layer: -1, labels: "all", threshold: data.threshold, chosen: new Set(), zoom: 1,
};
let colorOf = new Map();

const passes = (score) => score + 1e-5 >= state.threshold; // scores are rounded to 16 bits
const chosen = (action) => !state.chosen.size || state.chosen.has(action);
const shownActions = (row) => actionsOf(row).filter(([action, score]) => passes(score) && chosen(action));

function countActions() {
  const counts = new Map();
  for (let row = 0; row < data.rows.count; row++) {
    for (const [action, score] of actionsOf(row)) if (passes(score)) counts.set(action, (counts.get(action) || 0) + 1);
  }
  return [...counts].sort((one, two) => two[1] - one[1] || one[0] - two[0]);
}

// The most frequent actions keep their colors; chosen ones beyond them get the colors that are free then.
const usual = countActions().map(([action]) => action);
function assignColors() {
  const first = new Map(usual.slice(0, COLORS.length).map((action, number) => [action, number]));
  const used = new Set([...first].filter(([action]) => chosen(action)).map(([, number]) => number));
  const free = COLORS.map((_, number) => number).filter((number) => !used.has(number));
  colorOf = new Map([...first].filter(([action]) => chosen(action)));
  for (const action of state.chosen) if (!colorOf.has(action)) colorOf.set(action, free.length ? free.shift() : COLORS.length);
}
const colorNumber = (action) => colorOf.get(action) ?? COLORS.length;
const color = (action) => COLORS[colorNumber(action)] || OTHER_COLOR;

// The selected person's row at the present second, or the pinned row; null if that person is not in view.
function selectedRow() {
  if (state.pinned !== null) return state.pinned;
  const rows = byTrack.get(state.track);
  if (!rows) return null;
  const row = rows[nearest(rows.map(secondOf), state.now)];
  const moment = rowMoment[row];
  const near = state.now >= begins(moment) - 1e-3 && state.now <= ends(moment) + 1e-3;
  return near ? row : null;
}
