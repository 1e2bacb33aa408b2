// The page's own time, what is selected, and the controls.

const seek = byId("seek");
let running = false; // the clock of our own, without a video
let lastTick = 0;

function redraw() {
  state.now = Math.max(0, Math.min(state.now, data.seconds));
  drawStage();
  drawPlayhead();
  followDetails();
  if (document.activeElement !== seek || !seek.matches(":active")) seek.value = state.now;
  seek.setAttribute("aria-valuetext", clock(state.now, 1));
  byId("clock").textContent = `${clock(state.now, 1)} / ${clock(data.seconds)}`;
}

function goTo(second) {
  state.now = Math.max(0, Math.min(second, data.seconds));
  if (!missing) video.currentTime = state.now + 1e-3; // players would show the picture before for a rounded second
  redraw();
}

function selectTrack(track) {
  state.track = track;
  state.pinned = state.looked = null;
  const row = selectedRow();
  if (row !== null) selectRow(row, false);
  else selectRow(byTrack.get(track)[nearest(byTrack.get(track).map(secondOf), state.now)]);
}

function selectRow(row, seeks = true) {
  state.track = rowTrack[row];
  state.pinned = state.looked = null;
  unfoldTo(state.track);
  markSelection();
  if (seeks) goTo(secondOf(row));
  redraw();
  drawDetails();
  reveal(sheet.querySelector(".track.selected"));
  speak(row);
}

// Show a moment that the model looked at, while the details stay at the row that looked.
function look(row, moment, other) {
  pause();
  state.track = rowTrack[row];
  state.pinned = row;
  state.looked = other;
  goTo(moments[moment]);
  drawDetails();
}

function deselect() {
  state.track = state.pinned = state.looked = null;
  markSelection();
  drawDetails();
  redraw();
}

function play() {
  if (state.now >= data.seconds - 0.05) goTo(0);
  state.pinned = state.looked = null;
  if (missing) {
    running = true;
    lastTick = performance.now();
    requestAnimationFrame(tick);
    showPlaying();
  } else video.play().catch(() => showPlaying());
}

function pause() {
  running = false;
  video.pause();
  showPlaying();
}
const playing = () => (missing ? running : !video.paused);
const toggle = () => (playing() ? pause() : play());

function showPlaying() {
  byId("play").classList.toggle("playing", playing());
  byId("play").setAttribute("aria-label", playing() ? "Pause" : "Play");
}

function tick(time) {
  if (!running) return;
  state.now += (Math.max(0, time - lastTick) / 1000) * Number(byId("speed").value);
  lastTick = time;
  if (state.now >= data.seconds) pause();
  redraw();
  if (state.zoom > 1) reveal(null);
  if (running) requestAnimationFrame(tick);
}

// Boxes belong to the picture that is shown, whose time the browser tells where it can.
function followVideo(_, picture) {
  if (!video.seeking) {
    state.now = picture ? picture.mediaTime : video.currentTime;
    redraw();
    if (state.zoom > 1) reveal(null);
  }
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(followVideo);
  else if (!video.paused) requestAnimationFrame((time) => followVideo(time, null));
}

function reportMissing() {
  missing = true;
  const notice = byId("notice");
  const words = ["The video ", " cannot be shown: it is not beside this page, or this browser does not play it. Everything else works without it."];
  notice.replaceChildren(words[0], make("bdi", "", data.video), words[1]);
  notice.hidden = false;
  for (const id of ["mute", "fullscreen"]) byId(id).disabled = true;
  video.hidden = true;
  redraw();
}

function setThreshold(value) {
  state.threshold = Math.round(100 * Math.max(0, Math.min(value, 1))) / 100;
  byId("threshold").value = state.threshold;
  byId("threshold-value").textContent = state.threshold.toFixed(2);
  drawAll();
}

function drawLegend() {
  const counts = countActions(), shown = new Map(counts), legend = byId("legend");
  for (const action of state.chosen) if (!shown.has(action)) counts.push([action, 0]);
  const focused = document.activeElement && document.activeElement.dataset.action;
  legend.replaceChildren(...counts.map(([action, count]) => {
    const button = make("button", "chip");
    button.type = "button";
    button.dataset.action = action;
    button.setAttribute("aria-pressed", state.chosen.has(action));
    button.append(make("i", `swatch c${colorNumber(action)}`), name(action), make("small", "", String(count)));
    return button;
  }));
  if (state.chosen.size) legend.append(make("button", "chip all", "Show all"));
  if (!counts.length) legend.append(make("span", "quiet", "No action has a score from here on; lower the threshold."));
  if (focused) (legend.querySelector(`[data-action="${focused}"]`) || legend).focus();
}

function drawAll() {
  assignColors();
  drawLegend();
  drawTimeline();
  drawDetails();
  redraw();
}

byId("legend").addEventListener("click", (event) => {
  const chip = event.target.closest(".chip");
  if (!chip) return;
  const action = Number(chip.dataset.action);
  if (chip.classList.contains("all")) state.chosen.clear();
  else if (!state.chosen.delete(action)) state.chosen.add(action);
  drawAll();
});

function cycleLabels() {
  const kinds = ["all", "selected", "none"];
  state.labels = kinds[(kinds.indexOf(state.labels) + 1) % kinds.length];
  byId("labels").textContent = `Labels: ${state.labels}`;
  redraw();
}

function toggleMute() {
  video.muted = !video.muted;
  byId("mute").setAttribute("aria-pressed", video.muted);
}

function toggleFullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (!missing && stage.requestFullscreen) stage.requestFullscreen().catch(() => {});
}

function step(count) {
  const at = nearest(moments, state.now);
  if (at >= 0) {
    pause();
    state.pinned = state.looked = null;
    goTo(moments[Math.max(0, Math.min(at + count, moments.length - 1))]);
    const row = selectedRow();
    if (row !== null) speak(row);
    reveal(null);
  } else goTo(state.now + count);
}

function stepTrack(count) {
  const order = visibleTracks();
  if (!order.length) return;
  const at = order.findIndex(({ track }) => track === state.track);
  const next = at < 0 ? (count > 0 ? 0 : order.length - 1) : Math.max(0, Math.min(at + count, order.length - 1));
  selectTrack(order[next].track);
}

const KEYS = {
  " ": toggle, ArrowLeft: (event) => step(event.shiftKey ? -10 : -1), ArrowRight: (event) => step(event.shiftKey ? 10 : 1),
  ArrowUp: () => stepTrack(-1), ArrowDown: () => stepTrack(1), Home: () => goTo(0), End: () => goTo(data.seconds),
  "[": () => setThreshold(state.threshold - 0.05), "]": () => setThreshold(state.threshold + 0.05),
  "+": () => zoomTo(2 * state.zoom), "=": () => zoomTo(2 * state.zoom), "-": () => zoomTo(state.zoom / 2),
  l: cycleLabels, m: toggleMute, f: toggleFullscreen, "?": () => byId("help").showModal(), Escape: deselect,
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const target = event.target;
  if (target.matches("input, select") && (event.key.length > 1 ? event.key !== "Escape" : target.matches("select"))) return;
  if (event.key === " " && target.closest("button")) return;
  if (target.id === "details" && ["ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return; // it scrolls
  const action = KEYS[event.key.length > 1 ? event.key : event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action(event);
});

stage.addEventListener("pointermove", (event) => {
  const frame = canvas.getBoundingClientRect();
  [pointer.x, pointer.y] = [event.clientX - frame.left, event.clientY - frame.top];
  if (!playing()) drawStage();
});
stage.addEventListener("pointerleave", () => {
  pointer.x = pointer.y = -1;
  if (!playing()) drawStage();
});
canvas.addEventListener("click", (event) => {
  const frame = canvas.getBoundingClientRect();
  const row = personUnder(event.clientX - frame.left, event.clientY - frame.top);
  if (row === null) return toggle();
  pause();
  selectRow(row);
});

seek.max = data.seconds;
seek.addEventListener("input", () => {
  state.pinned = state.looked = null;
  goTo(Number(seek.value));
});
byId("threshold").addEventListener("input", (event) => setThreshold(Number(event.target.value)));
byId("speed").addEventListener("change", (event) => { video.playbackRate = Number(event.target.value); });
for (const [id, action] of Object.entries({
  play: toggle, labels: cycleLabels, mute: toggleMute, fullscreen: toggleFullscreen,
  "zoom-in": KEYS["+"], "zoom-out": KEYS["-"], "open-help": KEYS["?"],
})) byId(id).addEventListener("click", action);
for (const event of ["play", "pause", "ended"]) video.addEventListener(event, showPlaying);
video.addEventListener("error", reportMissing);
if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(followVideo);
else for (const event of ["play", "seeked"]) video.addEventListener(event, () => followVideo(0, null));

function about() {
  const people = wholeClips ? "whole clips" : `${tracks.length} person${tracks.length === 1 ? "" : "s"}`;
  const memory = data.window ? `memory of ${data.window[0]} s before and ${data.window[1]} s after` : "no memory";
  return [data.model, data.compare && `compared with ${data.compare}`, memory, clock(data.seconds), people].filter(Boolean).join(" · ");
}

byId("title").textContent = data.title;
if (wholeClips) {
  byId("details").setAttribute("aria-label", "The selected moment");
  byId("boxes").setAttribute("aria-label", "The actions of the moment");
  for (const element of document.querySelectorAll("[data-clips]")) element.textContent = element.dataset.clips;
}
byId("about").textContent = about();
byId("counts").textContent = tracks.length && !wholeClips ? `${tracks.length} person${tracks.length === 1 ? "" : "s"}, longest first` : "";
stage.style.setProperty("--aspect", data.width / data.height);
setThreshold(data.threshold);
zoomTo(1);
new ResizeObserver(() => { drawStage(); }).observe(canvas);
video.src = `./${data.video.split("/").map(encodeURIComponent).join("/")}`;
