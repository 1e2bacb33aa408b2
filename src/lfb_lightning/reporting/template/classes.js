// The classes: average precision as bars, sorted as wished, and precision over recall of a chosen one.

const classes = data.classes;
const order = { by: "ap", down: true };
let group = null, chosenClass = null, prChart = null;
const apOf = (row, run) => row.runs[run]?.ap ?? null;
const comparable = (run) => Boolean(data.compared[run]?.comparable);
const lastComparable = () => shownRuns().filter((run) => run > 0 && comparable(run)).at(-1);

function differenceOf(row) {
  const run = lastComparable();
  if (run === undefined || apOf(row, run) === null || apOf(row, 0) === null) return null;
  return apOf(row, run) - apOf(row, 0);
}

const COLUMNS = {
  name: { title: "Class", value: (row) => row.name.toLowerCase(), first: false },
  ap: { title: "AP", value: (row) => apOf(row, shownRuns()[0] ?? 0), first: true },
  difference: { title: "Difference", value: differenceOf, first: true },
  truth: { title: "Labels", value: (row) => row.truth, first: true },
  detections: { title: "Detections", value: (row) => row.runs[shownRuns()[0] ?? 0]?.detections ?? null, first: true },
};

function sorted() {
  const needle = byId("class-filter").value.toLowerCase().trim(), value = COLUMNS[order.by].value, turn = order.down ? -1 : 1;
  const ids = group === null ? null : new Set(data.groups[group].ids);
  const rows = classes.filter((row) => row.name.toLowerCase().includes(needle) && (!ids || ids.has(row.id)));
  return rows.sort((one, two) => {
    const [a, b] = [value(one), value(two)];
    if (a === b) return Number(one.id) - Number(two.id);
    if (a === null || b === null) return a === null ? 1 : -1; // what has no value stands last, whichever way
    return a < b ? -turn : turn;
  });
}

function headCell(name) {
  const cell = make("th", `column-${name}`), button = make("button", "sort", COLUMNS[name].title), on = order.by === name;
  cell.scope = "col";
  cell.setAttribute("aria-sort", on ? (order.down ? "descending" : "ascending") : "none");
  button.type = "button";
  button.dataset.sort = name;
  button.append(make("span", "arrow", on ? (order.down ? "▼" : "▲") : ""));
  button.addEventListener("click", () => {
    order.down = order.by === name ? !order.down : COLUMNS[name].first;
    order.by = name;
    drawClassList();
    document.querySelector(`[data-sort="${name}"]`).focus();
  });
  cell.append(button);
  return cell;
}

function apCell(row) {
  const cell = make("td", "aps");
  for (const run of shownRuns()) {
    const line = make("span", "ap"), meter = make("span", "meter"), fill = make("i", colorOf(run)), value = apOf(row, run);
    fill.style.width = `${100 * (value ?? 0)}%`;
    meter.append(fill);
    line.append(meter, make("span", "number", score(value)));
    cell.append(line);
  }
  return cell;
}

function classLine(row) {
  const line = make("tr"), head = make("th"), button = make("button", "choose");
  head.scope = "row";
  button.type = "button";
  button.dataset.id = row.id;
  button.setAttribute("aria-pressed", row === chosenClass);
  button.append(text("bdi", "", row.name));
  button.title = row.name.slice(0, 500);
  button.addEventListener("click", () => {
    chosenClass = row;
    for (const other of document.querySelectorAll(".choose")) other.setAttribute("aria-pressed", other === button);
    drawClassDetail();
  });
  head.append(button);
  line.append(head, apCell(row));
  if (lastComparable() !== undefined) {
    const change = differenceOf(row);
    line.append(make("td", `number ${direction(change)}`, signed(change)));
  }
  line.append(make("td", "number", whole(row.truth)));
  line.append(make("td", "number column-detections", whole(COLUMNS.detections.value(row))));
  return line;
}

function aboutClasses() {
  const judged = classes.filter((row) => row.truth).length, run = lastComparable();
  const words = `${judged} with labels${judged < classes.length ? `, ${classes.length - judged} without` : ""}`;
  byId("classes-about").replaceChildren(words, ...(run === undefined ? [] : ["; difference: ", runName(run), " minus ", runName(0)]));
}

function drawClassList() {
  aboutClasses();
  const table = make("table", "classes"), head = make("tr"), rows = sorted();
  const names = Object.keys(COLUMNS).filter((name) => name !== "difference" || lastComparable() !== undefined);
  head.append(...names.map(headCell));
  table.append(make("caption", "unseen", "Classes with their average precision"), make("thead"), make("tbody"));
  table.tHead.append(head);
  table.tBodies[0].append(...rows.map(classLine));
  byId("class-list").replaceChildren(rows.length ? table : make("p", "quiet empty", "No class has such a name."));
}

function drawGroups() {
  byId("groups").replaceChildren(...data.groups.map(({ name, ids, runs: means }, place) => {
    const button = make("button", "chip");
    button.type = "button";
    button.disabled = !ids.length;
    button.setAttribute("aria-pressed", place === group);
    button.append(text("bdi", "name", name));
    for (const run of shownRuns()) {
      if (several) button.append(make("i", `swatch ${colorOf(run)}`));
      button.append(make("small", "", score(means[run])));
    }
    button.addEventListener("click", () => {
      group = place === group ? null : place;
      drawGroups();
      drawClassList();
      byId("groups").children[place].focus();
    });
    return button;
  }));
}

function drawClassDetail() {
  const detail = byId("class-detail"), row = chosenClass;
  detail.hidden = !classes.some((one) => one.runs.some((run) => run?.curve));
  if (detail.hidden || !row) return;
  if (!prChart) prChart = lineChart({ title: "", height: 260, xRange: [0, 1], yRange: [0, 1], xFormat: (value) => value.toFixed(2), format: (value) => value.toFixed(2) });
  const title = prChart.figure.querySelector("h3");
  title.replaceChildren(text("bdi", "", row.name), make("span", "quiet", ": precision over recall"));
  const lines = shownRuns().filter((run) => row.runs[run]?.curve).map((run) => {
    const { recall, precision } = row.runs[run].curve;
    const of = (packed) => Array.from(shares(packed), (value) => value / ONE);
    return { run, label: several ? runs[run].name : "precision", x: [0, ...of(recall)], y: [of(precision)[0], ...of(precision)] };
  });
  const list = make("ul", "counts");
  for (const run of shownRuns()) list.append(countLine(row, run));
  detail.replaceChildren(prChart.figure, list);
  prChart.set(lines, "recall");
}

function countLine(row, run) {
  const line = make("li"), entry = row.runs[run];
  if (several) line.append(runName(run), ": ");
  if (!entry) line.append("does not have this class.");
  else if (!row.truth) line.append(`no labels, so no AP; ${whole(entry.detections)} detections.`);
  else if (entry.true === undefined) line.append(`AP ${score(entry.ap)}; ${whole(row.truth)} labels, ${whole(entry.detections)} detections.`);
  else line.append(`AP ${score(entry.ap)}; ${whole(entry.true)} of ${whole(row.truth)} labels found by ${whole(entry.detections)} detections.`);
  return line;
}

function redrawClasses() {
  drawGroups();
  drawClassList();
  drawClassDetail();
}

function drawClasses() {
  byId("classes").hidden = !classes.length;
  document.querySelector('nav a[href="#classes"]').hidden = !classes.length;
  if (!classes.length) return;
  byId("class-filter").addEventListener("input", drawClassList);
  chosenClass = sorted()[0];
}
