// The timeline: a row per person, longest first, with a lane per action; short tracks are folded away.

const MOST_LANES = 4; // of a person; the rest is in the details
const TRACKS_PER_PAGE = 60;
const SHORT_MOMENTS = 3; // a person seen at fewer moments is a short track
const sheet = document.getElementById("sheet");
const tracksBox = document.getElementById("tracks");
const long = tracks.filter(({ rows }) => rows.length >= SHORT_MOMENTS);
const main = long.length ? long : tracks;
const folded = long.length ? tracks.filter(({ rows }) => rows.length < SHORT_MOMENTS) : [];
let shownTracks = TRACKS_PER_PAGE;
let unfolded = false;

const share = (second) => Math.max(0, Math.min(second / (data.seconds || 1), 1));
const visibleTracks = () => [...main.slice(0, shownTracks), ...(unfolded ? folded.slice(0, shownTracks) : [])];

function place(element, from, to) {
  element.style.left = `${100 * share(from)}%`;
  element.style.width = `${100 * (share(to) - share(from))}%`;
  return element;
}

// Runs of neighbouring moments: [{from, to, best}] from pairs of a moment and a score, ascending.
function runs(entries) {
  const found = [];
  for (const [moment, score] of entries) {
    const last = found[found.length - 1];
    const joins = last && last.moment + 1 === moment && moments[moment] - moments[last.moment] <= LONGEST_STEP;
    if (joins) Object.assign(last, { to: ends(moment), moment, best: Math.max(last.best, score) });
    else found.push({ from: begins(moment), to: ends(moment), moment, best: score });
  }
  return found;
}

function laneEntries(rows) {
  const lanes = new Map();
  for (const row of rows) {
    for (const [action, score] of shownActions(row)) {
      if (!lanes.has(action)) lanes.set(action, []);
      lanes.get(action).push([rowMoment[row], score]);
    }
  }
  return [...lanes].sort((one, two) => two[1].length - one[1].length || one[0] - two[0]);
}

function trackRow({ track, rows, seconds }) {
  const element = make("div", "track");
  element.dataset.track = track;
  const who = make("button", "who");
  who.type = "button";
  who.append(make("span", "", nameOf(track)), make("small", "", seconds < 60 ? `${seconds.toFixed(0)} s` : clock(seconds)));
  const lanes = make("div", "lanes");
  const entries = laneEntries(rows);
  for (const [action, scores] of entries.slice(0, MOST_LANES)) {
    const lane = make("div", "lane");
    for (const { from, to, best } of runs(scores)) {
      const band = place(make("div", `band c${colorNumber(action)}`), from, to);
      band.append(make("bdi", "", data.actions[action]));
      band.title = `${data.actions[action]}, ${clock(from)} to ${clock(to)}, up to ${best.toFixed(2)}`;
      lane.append(band);
    }
    lanes.append(lane);
  }
  const present = make("div", "present");
  for (const { from, to } of runs(rows.map((row) => [rowMoment[row], 0]))) present.append(place(make("i"), from, to));
  lanes.append(present);
  const more = entries.length - MOST_LANES;
  if (more > 0) who.append(make("small", "", `+ ${more} action${more > 1 ? "s" : ""}`));
  element.append(who, lanes);
  return element;
}

function axis() {
  const element = make("div", "axis");
  const marks = make("div", "lanes");
  const wanted = (data.seconds / Math.max(3, tracksBox.clientWidth / 110)) / state.zoom;
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].find((candidate) => candidate >= wanted) || 7200;
  for (let second = 0; second < data.seconds - 0.4 * step || second === 0; second += step) {
    const mark = make("span", "", clock(second));
    mark.style.left = `${100 * share(second)}%`;
    marks.append(mark);
  }
  element.append(make("span", "corner"), marks);
  return element;
}

function moreButton(text, action) {
  const button = make("button", "more", text);
  button.type = "button";
  button.addEventListener("click", action);
  return button;
}

function drawTimeline() {
  const parts = [axis(), ...main.slice(0, shownTracks).map(trackRow)];
  if (main.length > shownTracks) {
    parts.push(moreButton(`Show ${Math.min(TRACKS_PER_PAGE, main.length - shownTracks)} more of ${main.length} persons`, () => {
      shownTracks += TRACKS_PER_PAGE;
      drawTimeline();
    }));
  }
  if (folded.length) {
    const text = `${unfolded ? "Hide" : "Show"} ${folded.length} short track${folded.length > 1 ? "s" : ""} (seen at fewer than ${SHORT_MOMENTS} moments)`;
    const fold = moreButton(text, () => {
      unfolded = !unfolded;
      drawTimeline();
      sheet.querySelector(".fold").focus();
    });
    fold.classList.add("fold");
    fold.setAttribute("aria-expanded", unfolded);
    parts.push(fold);
    if (unfolded) parts.push(...folded.slice(0, shownTracks).map(trackRow));
  }
  if (!tracks.length) parts.push(make("p", "empty", "No person was found in this video."));
  parts.push(make("div", "playhead"));
  const scrolled = [tracksBox.scrollLeft, tracksBox.scrollTop];
  sheet.replaceChildren(...parts);
  [tracksBox.scrollLeft, tracksBox.scrollTop] = scrolled;
  sheet.style.setProperty("--zoom", state.zoom);
  markSelection();
}

// Show a person's row if it is not among those that are drawn.
function unfoldTo(track) {
  const at = main.findIndex((candidate) => candidate.track === track);
  if (at < 0 ? unfolded : at < shownTracks) return;
  if (at < 0) unfolded = true;
  else shownTracks = TRACKS_PER_PAGE * Math.ceil((at + 1) / TRACKS_PER_PAGE);
  drawTimeline();
}

function markSelection() {
  for (const row of sheet.querySelectorAll(".track")) {
    const selected = Number(row.dataset.track) === state.track;
    row.classList.toggle("selected", selected);
    row.querySelector(".who").setAttribute("aria-pressed", selected);
  }
}

function drawPlayhead() {
  sheet.style.setProperty("--now", share(state.now));
}

// Scroll the selected row, and the playhead if the timeline is zoomed, into view; the page itself stays where it is.
function reveal(element) {
  if (element) {
    const top = element.offsetTop - 28, bottom = element.offsetTop + element.offsetHeight;
    if (top < tracksBox.scrollTop) tracksBox.scrollTop = top;
    else if (bottom > tracksBox.scrollTop + tracksBox.clientHeight) tracksBox.scrollTop = bottom - tracksBox.clientHeight;
  }
  if (state.zoom > 1) {
    const head = sheet.querySelector(".playhead").offsetLeft, width = tracksBox.clientWidth;
    if (head < tracksBox.scrollLeft + 130 || head > tracksBox.scrollLeft + width - 20) tracksBox.scrollLeft = head - width / 2;
  }
}

function zoomTo(zoom) {
  state.zoom = Math.max(1, Math.min(zoom, 64));
  document.getElementById("zoom-out").disabled = state.zoom === 1;
  drawTimeline();
  reveal(null);
}

sheet.addEventListener("click", (event) => {
  const row = event.target.closest(".track");
  if (!row) return;
  const track = Number(row.dataset.track);
  if (event.target.closest(".who")) {
    selectTrack(track);
    return;
  }
  const span = row.querySelector(".lanes").getBoundingClientRect();
  const rows = byTrack.get(track);
  const second = ((event.clientX - span.left) / span.width) * data.seconds;
  selectRow(rows[nearest(rows.map(secondOf), second)]);
});
