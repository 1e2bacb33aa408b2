// The selected person at the present moment: scores, without and with memory, and what the model looked at.

const MOST_SCORES = 8;
const details = document.getElementById("details");
let detailsKey = "";

function scoreRows(row) {
  const withMemory = new Map(actionsOf(row)), without = new Map(withoutOf ? withoutOf(row) : []);
  const actions = [...new Set([...withMemory.keys(), ...without.keys()])].filter(chosen);
  const most = (action) => Math.max(withMemory.get(action) || 0, without.get(action) || 0);
  actions.sort((one, two) => most(two) - most(one) || one - two);
  return actions.slice(0, MOST_SCORES).map((action) => [action, without.get(action), withMemory.get(action)]);
}

function bar(kind, value, action) {
  const track = make("span", `meter ${kind}`), fill = make("i", kind === "with" ? `c${colorNumber(action)}` : "");
  fill.style.width = `${100 * (value || 0)}%`;
  const mark = make("u");
  mark.style.left = `${100 * state.threshold}%`;
  track.append(fill, mark);
  return track;
}

const number = (value) => (value === undefined ? "–" : value.toFixed(2));

function scoreTable(row) {
  const table = make("table", "scores"), head = make("tr");
  const titles = withoutOf ? ["Action", "", "without memory", "with memory"] : ["Action", "", "score"];
  for (const title of titles) head.append(make("th", "", title));
  for (const cell of head.children) cell.scope = "col";
  table.append(make("caption", "unseen", "Scores of actions"), make("thead"), make("tbody"));
  table.tHead.append(head);
  for (const [action, without, withMemory] of scoreRows(row)) {
    const line = make("tr", passes(withMemory || 0) ? "" : "below");
    line.dataset.action = action;
    const title = make("th"), bars = make("td", "bars-cell");
    title.scope = "row";
    title.append(name(action));
    if (withoutOf) bars.append(bar("without", without, action));
    bars.append(bar("with", withMemory, action));
    bars.setAttribute("aria-hidden", "true");
    line.append(title, bars);
    if (withoutOf) line.append(make("td", "number", number(without)));
    line.append(make("td", "number strong", number(withMemory)));
    table.tBodies[0].append(line);
  }
  return table;
}

function detailsHead(row) {
  const head = make("div", "head");
  head.append(make("h2", "", `${nameOf(rowTrack[row])} at ${clock(secondOf(row))}`));
  if (!wholeClips) head.append(make("span", "quiet", `detector ${(detectorScores[row] / ONE).toFixed(2)}`));
  if (state.pinned !== null) {
    const back = make("button", "pin", `Back to ${clock(secondOf(row))}`);
    back.type = "button";
    back.addEventListener("click", () => selectRow(row));
    head.append(back);
  }
  return head;
}

function absent() {
  const rows = byTrack.get(state.track), row = rows[nearest(rows.map(secondOf), state.now)];
  const text = make("p", "quiet", `Not in view at ${clock(state.now)}. `);
  const go = make("button", "", `Go to ${clock(secondOf(row))}`);
  go.type = "button";
  go.addEventListener("click", () => selectRow(row));
  text.append(go);
  return [make("h2", "", nameOf(state.track)), text];
}

function invitation() {
  const words = tracks.length ? `Click ${wholeClips ? "" : "a person in "}the video, or a place in the timeline, or press ↓.` : "No person was found in this video, so there is nothing to select.";
  return [make("h2", "", tracks.length ? (wholeClips ? "Select a moment" : "Select a person") : "Nobody"), make("p", "quiet", words)];
}

function drawDetails() {
  const row = selectedRow();
  details.dataset.row = row === null ? "" : row;
  if (row === null) {
    details.replaceChildren(...(state.track === null ? invitation() : absent()));
    return;
  }
  const scores = make("section");
  scores.append(scoreTable(row));
  if (data.compare && withoutOf) scores.append(make("p", "quiet", `Without memory: ${data.compare}. With memory: ${data.model}.`));
  const shown = details.scrollTop;
  details.replaceChildren(detailsHead(row), scores, attentionSection(row));
  details.scrollTop = shown;
}

function followDetails() {
  const row = selectedRow();
  const key = `${row} ${row === null && state.track !== null ? clock(state.now) : ""} ${state.track} ${state.pinned}`;
  if (key !== detailsKey) drawDetails();
  detailsKey = key;
}

function speak(row) {
  const actions = shownActions(row).map(([action, score]) => `${data.actions[action]} ${score.toFixed(2)}`);
  document.getElementById("spoken").textContent = `${nameOf(rowTrack[row])} at ${clock(secondOf(row))}: ${actions.join(", ") || "no action above the threshold"}`;
}
