// The video with boxes and labels over it; without the video, the thumbnails and a clock of our own.

const stage = document.getElementById("stage");
const video = document.getElementById("video");
const canvas = document.getElementById("boxes");
const still = document.getElementById("still");
const pen = canvas.getContext("2d");
const pointer = { x: -1, y: -1 };
let missing = false; // whether there is no video
let labelChoices = new Map();
let labelMoment = "";

function textLines(row) {
  const most = rowTrack[row] === state.track ? 4 : 2;
  const actions = shownActions(row).slice(0, most);
  return [{ text: wholeClips ? "clip" : String(rowTrack[row]), fill: null }, ...actions.map(([action, score]) => ({
    text: `${data.actions[action]} ${score.toFixed(2)}`, fill: color(action),
  }))];
}

function labelSizes(lines, letters) {
  const sizes = [];
  let width = 0;
  lines.forEach((line, number) => {
    width = Math.max(width, pen.measureText(line.text).width + letters * (line.fill ? 1.5 : 0.8));
    sizes.push([Math.min(width, canvas.clientWidth), (number + 1) * Math.round(letters * 1.4)]);
  });
  return sizes;
}

function drawBox(box, selected, dashed) {
  pen.setLineDash(dashed ? [6, 4] : []);
  for (const [style, line] of [["rgba(0,0,0,.65)", selected ? 6 : 3.5], [dashed ? "#ff9d5c" : selected ? "#ffd33d" : "#fff", selected || dashed ? 3 : 1.5]]) {
    pen.strokeStyle = style;
    pen.lineWidth = line;
    pen.strokeRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
  }
  pen.setLineDash([]);
}

function drawLabel(lines, place, letters, selected) {
  const inside = pointer.x >= place[0] && pointer.x <= place[2] && pointer.y >= place[1] && pointer.y <= place[3];
  pen.globalAlpha = inside ? 0.12 : 1;
  const height = Math.round(letters * 1.4);
  lines.forEach((line, number) => {
    const y = place[1] + number * height;
    const bar = line.fill ? letters * 0.5 : 0;
    const width = Math.min(pen.measureText(line.text).width + bar + letters * 0.8, place[2] - place[0]);
    pen.fillStyle = line.fill ? "rgba(20,20,20,.86)" : selected ? "#ffd33d" : "#fff";
    pen.fillRect(place[0], y, width, height);
    if (line.fill) {
      pen.fillStyle = line.fill;
      pen.fillRect(place[0], y, bar, height);
    }
    pen.fillStyle = line.fill ? "#fff" : "#111";
    pen.fillText(line.text, place[0] + bar + letters * 0.4, y + height / 2, width - bar - letters * 0.6);
  });
  pen.globalAlpha = 1;
}

// Labels are placed anew when actions may have changed, and move with their boxes in between, so that they are calm.
function placeLabels(persons, width, height, letters) {
  const moment = `${nearest(moments, state.now)} ${state.track} ${state.threshold} ${[...state.chosen]} ${width} ${persons.length}`;
  if (moment === labelMoment) return;
  const fresh = new Map(), taken = [];
  const first = (person) => rowTrack[person.row] === state.track ? 0 : 1; // the selected person chooses first
  for (const person of [...persons].sort((one, two) => first(one) - first(two))) {
    const sizes = labelSizes(textLines(person.row), letters);
    const others = persons.filter((other) => other !== person).map((other) => other.pixels);
    const before = labelChoices.get(rowTrack[person.row]);
    const choice = chooseLabel(person.pixels, sizes, others, taken, width, height, before ? before.kind : -1);
    fresh.set(rowTrack[person.row], choice);
    taken.push(choice.place);
  }
  labelChoices = fresh;
  labelMoment = moment;
}

function drawStage() {
  const width = canvas.clientWidth, height = canvas.clientHeight, scale = window.devicePixelRatio || 1;
  const pixelWidth = Math.round(width * scale), pixelHeight = Math.round(height * scale);
  if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) [canvas.width, canvas.height] = [pixelWidth, pixelHeight];
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const letters = Math.max(10, Math.min(14, width / 55));
  pen.font = `600 ${letters}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  const persons = personsAt(state.now).map((person) => ({
    ...person, pixels: person.box.map((value, side) => value * (side % 2 ? height : width)),
  }));
  placeLabels(persons, width, height, letters);
  for (const person of persons) drawBox(person.pixels, rowTrack[person.row] === state.track, person.row === state.looked);
  const numbers = []; // over everything else, so that each person can be found in the timeline
  for (const person of persons) {
    const selected = rowTrack[person.row] === state.track;
    const choice = labelChoices.get(rowTrack[person.row]);
    if (!choice || state.labels === "none" || (state.labels === "selected" && !selected)) continue;
    const lines = textLines(person.row).slice(0, choice.lines + 1);
    const sizes = labelSizes(lines, letters);
    const place = placeOf(choice.kind, person.pixels, sizes[sizes.length - 1], width, height);
    drawLabel(lines, place, letters, selected);
    numbers.push([lines.slice(0, 1), place, letters, selected]);
  }
  for (const label of numbers) drawLabel(...label);
  stage.dataset.boxes = persons.map((person) => `${rowTrack[person.row]}:${person.pixels.map((side) => side.toFixed(1))}`).join(" ");
  if (missing) showStill();
}

function showStill() {
  const picture = thumbnailAt(state.now);
  still.hidden = !picture;
  if (picture && still.src !== picture) still.src = picture;
}

// The smallest box under the pointer.
function personUnder(x, y) {
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const inside = personsAt(state.now).filter(({ box }) => x >= box[0] * width && x <= box[2] * width && y >= box[1] * height && y <= box[3] * height);
  inside.sort((one, two) => (one.box[2] - one.box[0]) * (one.box[3] - one.box[1]) - (two.box[2] - two.box[0]) * (two.box[3] - two.box[1]));
  return inside.length ? inside[0].row : null;
}
