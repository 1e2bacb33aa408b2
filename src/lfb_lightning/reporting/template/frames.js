// Key frames: the best and the worst, and those that a run gained or lost against the first.

const LISTS = {
  worst: { title: "Worst", of: (run) => data.frames[run]?.worst },
  best: { title: "Best", of: (run) => data.frames[run]?.best },
  gained: { title: "Gained", of: (run) => data.changes[run]?.gained },
  lost: { title: "Lost", of: (run) => data.changes[run]?.lost },
};
const nameOfClass = new Map(classes.map((row) => [row.id, row.name]));
const frameState = { list: "worst", run: 0 };
const listedRuns = (list) => [...runs.keys()].filter((run) => LISTS[list].of(run));

function stage(card) {
  const picture = data.pictures[card.picture], place = make("div", "stage");
  place.style.aspectRatio = picture.width ? `${picture.width} / ${picture.height}` : "16 / 9";
  if (picture.jpeg) {
    const image = make("img");
    image.alt = "";
    image.loading = "lazy";
    image.decoding = "async";
    image.src = `data:image/jpeg;base64,${picture.jpeg}`;
    place.append(image);
  } else place.append(make("span", "blank", "no picture"));
  card.regions.forEach((region, number) => {
    const [x1, y1, x2, y2] = region.box.map((corner) => Math.max(0, Math.min(corner, 1)));
    const box = make("div", `box ${kindOf(region)}`);
    Object.assign(box.style, { left: `${100 * x1}%`, top: `${100 * y1}%`, width: `${100 * (x2 - x1)}%`, height: `${100 * (y2 - y1)}%` });
    box.append(make("span", "badge", String(number + 1)));
    place.append(box);
  });
  return place;
}

function kindOf(region) {
  if (!region.annotated) return "false";
  return region.missed.length ? (region.found.length ? "partly" : "missed") : "found";
}

function label(kind, mark, action, value) {
  const item = make("li", kind);
  item.append(make("span", "mark", mark), text("bdi", "", nameOfClass.get(action) ?? action));
  item.append(make("span", "unseen", { found: " found", missed: " missed", false: " false" }[kind]));
  if (value !== undefined) item.append(make("span", "number", value.toFixed(2)));
  return item;
}

function regionEntry(region, number, box) {
  const entry = make("div", "region"), list = make("ul");
  const scored = [...region.found.map((pair) => ["found", "✓", ...pair]), ...region.false.map((pair) => ["false", "✕", ...pair])];
  scored.sort((one, two) => two[3] - one[3]); // what stands above a found label was thought likelier
  list.append(...scored.map((entry) => label(...entry)), ...region.missed.map((action) => label("missed", "○", action)));
  entry.append(make("span", `badge ${kindOf(region)}`, String(number + 1)), list);
  entry.addEventListener("pointerenter", () => box.classList.add("lit"));
  entry.addEventListener("pointerleave", () => box.classList.remove("lit"));
  return entry;
}

function cardOf(card) {
  const element = make("article", "card"), shown = stage(card), head = make("p", "card-head");
  const video = text("bdi", "video", card.video);
  video.title = card.video.slice(0, 500);
  head.append(video, make("span", "quiet", `${Number(card.second.toFixed(3))} s`), make("b", "", card.gain === undefined ? signedShort(card.score) : `${signedShort(card.gain)}`));
  element.append(shown, head);
  const picture = data.pictures[card.picture];
  const boxes = shown.querySelectorAll(".box");
  element.append(...card.regions.map((region, number) => regionEntry(region, number, boxes[number])));
  if (picture.why && !sameReason) element.append(text("p", "quiet why", picture.why));
  return element;
}

const signedShort = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
const sameReason = data.pictures.length && data.pictures.every((picture) => picture.why) ? data.pictures[0].why : null;

const RULE = "The score of a key frame with L labels is the mean over its labels of the score with which each was found (0 where missed), "
  + "minus the mean of its L strongest false detections.";

function aboutFrames() {
  const { list, run } = frameState, all = data.frames[run];
  const change = { gained: "better", lost: "worse" }[list];
  const words = change ? [`The key frames on which `, runName(run), ` does ${change} than the first run, by the difference of their scores. `]
    : [`The ${list} of ${whole(all.frames)} key frames`, ...(several ? [" of ", runName(run)] : []), `, whose mean score is ${signedShort(all.mean)}. `];
  const why = sameReason ? [text("b", "why", data.pictures.length > 1 ? `No picture could be read. The first: ${sameReason}` : sameReason)] : [];
  byId("frames-about").replaceChildren(...words, `${RULE} No two of a video are within ${data.apart} s. `, frameKey(), ...why);
}

function frameKey() {
  const key = make("span", "frame-key");
  for (const [kind, mark, words] of [["found", "✓", "found"], ["missed", "○", "missed"], ["false", "✕", "false"]]) {
    const part = make("span", kind);
    part.append(make("span", "mark", mark), words);
    key.append(part);
  }
  return key;
}

function drawTabs() {
  byId("frame-tabs").replaceChildren(...Object.entries(LISTS).filter(([list]) => listedRuns(list).length).map(([list, { title }]) => {
    const tab = make("button", "", title), on = list === frameState.list;
    tab.type = "button";
    tab.id = `tab-${list}`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-selected", on);
    tab.setAttribute("aria-controls", "cards");
    tab.tabIndex = on ? 0 : -1;
    tab.addEventListener("click", () => chooseList(list));
    return tab;
  }));
}

function chooseList(list) {
  frameState.list = list;
  if (!listedRuns(list).includes(frameState.run)) frameState.run = listedRuns(list)[0];
  redrawFrames();
  byId(`tab-${list}`).focus();
}

function redrawFrames() {
  const choices = listedRuns(frameState.list), select = byId("frame-of");
  drawTabs();
  byId("frame-run").hidden = choices.length < 2;
  select.replaceChildren(...choices.map((run) => {
    const option = make("option", "", runs[run].name);
    option.value = run;
    option.selected = run === frameState.run;
    return option;
  }));
  aboutFrames();
  const cards = LISTS[frameState.list].of(frameState.run);
  byId("cards").setAttribute("aria-labelledby", `tab-${frameState.list}`);
  byId("cards").replaceChildren(...(cards.length ? cards.map(cardOf) : [make("p", "quiet", "There are none.")]));
}

function drawFrames() {
  const any = listedRuns("worst");
  byId("frames").hidden = !any.length;
  document.querySelector('nav a[href="#frames"]').hidden = !any.length;
  if (!any.length) return;
  frameState.run = any[0];
  byId("frame-of").addEventListener("change", (event) => {
    frameState.run = Number(event.target.value);
    redrawFrames();
  });
  byId("frame-tabs").addEventListener("keydown", (event) => {
    const tabs = [...byId("frame-tabs").children], at = tabs.indexOf(document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined || at < 0) return;
    event.preventDefault();
    tabs[next % tabs.length].click();
  });
  redrawFrames();
}
