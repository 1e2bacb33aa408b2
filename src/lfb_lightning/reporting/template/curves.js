// Learning curves: loss, the main figure, the learning rate; everything else that was logged under "more".

let byEpoch = false;
const panels = []; // [{chart, names}]

const curveOf = (run, name) => runs[run].curves.find((curve) => curve.name === name);
const curveNames = [...new Set(runs.flatMap((run) => run.curves.map((curve) => curve.name)))];

// The epochs that had passed at a step, by the steps at which epochs ended.
function epochAt(run, step) {
  let [before, passed] = [0, 0];
  for (const [end, epoch] of runs[run].epochs) {
    if (step <= end) return passed + ((step - before) / Math.max(end - before, 1)) * (epoch - passed);
    [before, passed] = [end, epoch];
  }
  return passed + (before ? (step - before) / (before / passed) : 0);
}

function linesOf(names) {
  return shownRuns().flatMap((run) => names.flatMap((name) => {
    const curve = curveOf(run, name);
    if (!curve) return [];
    const x = byEpoch ? curve.steps.map((step) => epochAt(run, step + 1)) : curve.steps;
    const thin = names.length > 1 && name.endsWith("_step");
    const which = names.length > 1 ? (thin ? "a step" : name.endsWith("_epoch") ? "mean of the epoch" : name) : "";
    const label = [several && runs[run].name, which].filter(Boolean).join(", ") || name;
    return [{ run, label, x, y: curve.values, thin }];
  }));
}

function mainPanels() {
  const figures = [...new Set(runs.map((run) => `val/${run.figure}`))];
  const loss = curveNames.filter((name) => /^train\/loss(_step|_epoch)?$/.test(name)).sort().reverse();
  const rates = curveNames.filter((name) => name.startsWith("lr"));
  return [["Training loss", loss], ...figures.map((name) => [name, [name]]), ["Learning rate", rates]]
    .map(([title, names]) => [title, names.filter((name) => curveNames.includes(name))]).filter(([, names]) => names.length);
}

function addPanel(parent, title, names) {
  const chart = lineChart({ title, xFormat: (value) => (Number.isInteger(value) ? whole(value) : value.toFixed(2)) });
  parent.append(chart.figure);
  panels.push({ chart, names });
}

function redrawCurves() {
  for (const { chart, names } of panels) chart.set(linesOf(names), byEpoch ? "epoch" : "step");
}

function drawCurves() {
  byId("curves").hidden = !curveNames.length;
  document.querySelector('nav a[href="#curves"]').hidden = !curveNames.length;
  if (!curveNames.length) return;
  const main = mainPanels(), rest = curveNames.filter((name) => !main.some(([, names]) => names.includes(name)));
  for (const [title, names] of main) addPanel(byId("panels"), title, names);
  const more = byId("more-curves");
  more.hidden = !rest.length;
  more.querySelector("summary").textContent = `${rest.length} more logged values`;
  more.addEventListener("toggle", () => {
    const place = more.querySelector(".panels");
    if (more.open && !place.children.length) {
      for (const name of rest) addPanel(place, name, [name]);
      redrawCurves();
    }
  });
  for (const [id, epochs] of [["by-step", false], ["by-epoch", true]]) {
    byId(id).addEventListener("click", () => {
      byEpoch = epochs;
      byId("by-step").setAttribute("aria-pressed", !epochs);
      byId("by-epoch").setAttribute("aria-pressed", epochs);
      redrawCurves();
    });
  }
  byId("by-epoch").disabled = !runs.some((run) => run.epochs.length);
}
