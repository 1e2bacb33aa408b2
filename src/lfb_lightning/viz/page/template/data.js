// The page's data, unpacked: columns per row (a row is one person at one moment), and rows by moment and by person.

const LONGEST_STEP = 2.5; // seconds; video_persons.py has the same
const moments = data.moments;
const rowMoment = wide(data.rows.moment);
const rowTrack = wide(data.rows.track);
const boxes = shares(data.rows.box);
const detectorScores = shares(data.rows.score);
const actionsOf = pairs(data.rows.actions);
const withoutOf = data.rows.without && pairs(data.rows.without);
const layers = data.rows.attention ? data.rows.attention.layers : 0;
const listed = layers ? pairs(data.rows.attention) : null;
const emptyShare = layers ? shares(data.rows.attention.empty) : null;
const restShare = layers ? shares(data.rows.attention.rest) : null;

const boxOf = (row) => Array.from(boxes.subarray(4 * row, 4 * row + 4), (value) => value / ONE);
const secondOf = (row) => moments[rowMoment[row]];
const wholeClips = boxes.length > 0 && boxes.every((value, side) => value === (side % 4 < 2 ? 0 : ONE)); // and nobody in them
const nameOf = (track) => (wholeClips ? "Whole clip" : `Person ${track}`);

// The attention of a row in one layer, or the mean of all layers (-1): {empty, rest, rows: [[row, weight], ...]}, or null.
function attentionOf(row, layer) {
  const chosen = layer < 0 ? Array.from({ length: layers }, (_, number) => number) : [layer];
  const places = chosen.map((number) => row * layers + number);
  const weights = new Map();
  let empty = 0, rest = 0;
  for (const place of places) {
    empty += emptyShare[place] / ONE / places.length;
    rest += restShare[place] / ONE / places.length;
    for (const [other, weight] of listed(place)) weights.set(other, (weights.get(other) || 0) + weight / places.length);
  }
  if (!weights.size && !empty && !rest) return null;
  return { empty, rest, rows: [...weights].sort((one, two) => two[1] - one[1]) };
}

const rowsAt = moments.map(() => []);
const byTrack = new Map();
for (let row = 0; row < data.rows.count; row++) {
  rowsAt[rowMoment[row]].push(row);
  if (!byTrack.has(rowTrack[row])) byTrack.set(rowTrack[row], []);
  byTrack.get(rowTrack[row]).push(row);
}
for (const rows of byTrack.values()) rows.sort((one, two) => rowMoment[one] - rowMoment[two]);

// Half of the step between two moments, for which the earlier or the later one stands.
function hold(early) {
  if (early < 0 || moments.length < 2) return 0.5;
  const at = Math.min(early, moments.length - 2);
  return Math.min(moments[at + 1] - moments[at], 2) / 2;
}

const begins = (moment) => Math.max(0, moments[moment] - hold(moment - 1));
const ends = (moment) => Math.min(data.seconds, moments[moment] + hold(moment));
const duration = (rows) => rows.reduce((sum, row) => sum + ends(rowMoment[row]) - begins(rowMoment[row]), 0);

const tracks = [...byTrack].map(([track, rows]) => ({ track, rows, seconds: duration(rows) }));
tracks.sort((one, two) => two.seconds - one.seconds || one.track - two.track);

function clock(second, digits = 0) {
  const whole = Math.max(0, digits ? Math.floor(second * 10) / 10 : Math.round(second));
  const hours = Math.floor(whole / 3600), minutes = Math.floor((whole % 3600) / 60);
  const rest = (whole % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return (hours ? `${hours}:${String(minutes).padStart(2, "0")}` : `${minutes}`) + `:${rest}`;
}

function name(action) {
  const element = make("bdi", "name", data.actions[action]); // names of any script keep to themselves
  element.title = data.actions[action];
  return element;
}

function thumbnailAt(second) {
  const at = nearest(data.thumbnails.seconds, second);
  if (at < 0 || Math.abs(data.thumbnails.seconds[at] - second) > 3) return null;
  return `data:image/jpeg;base64,${data.thumbnails.jpeg[at]}`;
}
