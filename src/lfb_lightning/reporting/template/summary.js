// Numbers and names as all sections write them, the summary of each run, and how the runs compare.

const runs = data.runs;
const several = runs.length > 1;
const hidden = new Set(runs.keys()); // runs that are not shown
for (let run = 0; run < Math.min(runs.length, 6); run++) hidden.delete(run);
const shownRuns = () => [...runs.keys()].filter((run) => !hidden.has(run));

const colorOf = (run) => `r${run % 8}`;
const score = (value) => (value === null || value === undefined ? "–" : value.toFixed(4));
const whole = (value) => (value === null || value === undefined ? "–" : String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "\u2009"));
const signed = (value) => (value === null || value === undefined ? "–" : `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(4)}`);

// What rounds to nothing has no direction.
const direction = (value) => (value === null || Math.abs(value) < 5e-5 ? "" : value < 0 ? "down" : "up");

function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return String(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2).replace(/\.?0+e/, "e") : String(Number(value.toPrecision(4)));
}

function text(tag, className, words) {
  const element = make(tag, className, words); // names of any script keep to themselves
  element.dir = "auto";
  return element;
}

function runName(run) {
  const element = make("span", "run-name");
  if (several) element.append(make("i", `swatch ${colorOf(run)}`));
  element.append(text("bdi", "", runs[run].name));
  element.title = runs[run].place;
  return element;
}

function tile(label, value, note) {
  const element = make("div", "tile");
  element.append(make("span", "label", label), typeof value === "string" ? text("b", "", value) : value);
  if (note) element.append(make("small", "", note));
  return element;
}

const KINDS = { training: "a training run", test: "a test", result: "a result file" };

function fact([name, value]) {
  if (typeof value === "string") return null; // a path: it stands below
  return tile(name, Number.isInteger(value) ? whole(value) : score(value));
}

function paths(run) {
  const list = make("dl", "paths");
  for (const [name, value] of [[run.kind === "result" ? "file" : "folder", run.place], ...run.facts.filter(([, value]) => typeof value === "string")]) {
    list.append(make("dt", "", name), text("dd", "", value));
  }
  return list;
}

function notes(run) {
  if (!run.notes.length) return [];
  const list = make("ul", "notes");
  list.append(...run.notes.map((note) => text("li", "", note)));
  return [list];
}

function figureLabel(run) {
  return run.kind === "training" ? `${run.figure}, last validation` : run.figure;
}

function oneRun(run) {
  const tiles = make("div", "tiles");
  tiles.append(tile(figureLabel(run), score(run.score)));
  tiles.firstChild.classList.add("main");
  for (const { name, runs: means } of data.groups) tiles.append(tile(name, score(means[0])));
  tiles.append(...run.facts.map(fact).filter(Boolean));
  return [tiles, ...notes(run), paths(run)];
}

function verdict(run) {
  const found = data.compared[run];
  if (!found) return [make("span", "quiet", "the one that the others are held against")];
  if (!found.comparable) return [make("span", "quiet", `not comparable: ${found.reason}`)];
  const parts = [make("b", direction(found.difference), signed(found.difference))];
  if (found.interval) {
    const sure = found.interval[0] > 0 || found.interval[1] < 0;
    parts.push(` (95 % interval over ${whole(found.videos)} videos: ${signed(found.interval[0])} to ${signed(found.interval[1])}; better in ${percent(found.better)} of the draws)`);
    const rough = found.videos < 10 ? "; so few videos make it a rough one" : "";
    parts.push(make("span", "quiet", sure ? ` – the interval leaves out 0${rough}.` : ` – the interval holds 0: it could be the choice of videos${rough}.`));
  } else if (found.reason) parts.push(make("span", "quiet", ` (${found.reason})`));
  return parts;
}

function manyRuns() {
  const table = make("table", "overview"), head = make("tr");
  const figures = [...new Set(runs.map((run) => run.figure))], names = figures.length > 1 ? "main figure" : figures[0];
  const keys = [...new Set(runs.flatMap((run) => run.facts.filter(([, value]) => typeof value !== "string").map(([key]) => key)))];
  for (const title of ["Run", "", names, ...data.groups.map(({ name }) => name), ...keys]) head.append(make("th", "", title));
  for (const cell of head.children) cell.scope = "col";
  table.append(make("caption", "unseen", "Runs"), make("thead"), make("tbody"));
  table.tHead.append(head);
  runs.forEach((run, place) => {
    const line = make("tr"), title = make("th"), known = new Map(run.facts);
    title.scope = "row";
    title.append(runName(place));
    line.append(title, make("td", "quiet", run.kind), make("td", "number strong", score(run.score)));
    for (const { runs: means } of data.groups) line.append(make("td", "number", score(means[place])));
    for (const key of keys) {
      const value = known.get(key);
      line.append(make("td", "number", value === undefined ? "–" : Number.isInteger(value) ? whole(value) : score(value)));
    }
    table.tBodies[0].append(line);
  });
  const scroller = make("div", "scroller");
  scroller.tabIndex = 0;
  scroller.setAttribute("role", "region");
  scroller.setAttribute("aria-label", "Runs");
  scroller.append(table);
  const list = make("div", "verdicts");
  runs.forEach((run, place) => {
    const entry = make("div", "verdict"), line = make("p");
    line.append(runName(place), ": ", ...verdict(place));
    entry.append(line, ...notes(run), paths(run));
    list.append(entry);
  });
  return [scroller, list];
}

function drawSummary() {
  byId("summary").replaceChildren(...(several ? manyRuns() : oneRun(runs[0])));
  byId("title").replaceChildren(...runs.slice(0, 4).flatMap((run, place) => [place ? " · " : "", text("bdi", "", run.name)]), runs.length > 4 ? " …" : "");
  const what = several ? `${runs.length} runs, held against the first` : KINDS[runs[0].kind];
  byId("about").textContent = `lfb-report of ${what} · lfb-lightning ${data.version}`;
}
