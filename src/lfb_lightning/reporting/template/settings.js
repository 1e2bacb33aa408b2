// The configuration of the runs: every key with its value, filtered, or only what differs between them.

const configured = [...runs.keys()].filter((run) => runs[run].config);
const valueOf = new Map(configured.map((run) => [run, new Map(runs[run].config)]));
const allKeys = [...new Set(configured.flatMap((run) => runs[run].config.map(([key]) => key)))];
const differs = (key) => new Set(configured.map((run) => valueOf.get(run).get(key))).size > 1;

function drawKeys() {
  const needle = byId("key-filter").value.toLowerCase().trim(), only = byId("differing").checked;
  const has = (key) => [key, ...configured.map((run) => valueOf.get(run).get(key) ?? "")].some((words) => words.toLowerCase().includes(needle));
  const keys = allKeys.filter((key) => (!only || differs(key)) && has(key));
  const table = make("table", "keys"), head = make("tr");
  head.append(make("th", "", "Key"));
  for (const run of configured) {
    const cell = make("th");
    cell.append(several ? runName(run) : "Value");
    head.append(cell);
  }
  for (const cell of head.children) cell.scope = "col";
  table.append(make("caption", "unseen", "Configuration"), make("thead"), make("tbody"));
  table.tHead.append(head);
  table.tBodies[0].append(...keys.map((key) => {
    const line = make("tr", configured.length > 1 && differs(key) ? "differs" : ""), name = text("th", "", key);
    name.scope = "row";
    line.append(name, ...configured.map((run) => text("td", "", valueOf.get(run).get(key) ?? "–")));
    return line;
  }));
  byId("keys").replaceChildren(keys.length ? table : make("p", "quiet empty", only && !needle ? "The configurations are equal." : "No key or value has that in it."));
}

function drawSettings() {
  byId("settings").hidden = !configured.length;
  document.querySelector('nav a[href="#settings"]').hidden = !configured.length;
  if (!configured.length) return;
  const number = allKeys.filter(differs).length;
  byId("settings-about").textContent = configured.length > 1 ? `${allKeys.length} keys, ${number} of which differ` : `${allKeys.length} keys`;
  const tests = configured.some((run) => runs[run].kind === "test");
  byId("settings-note").hidden = !tests;
  byId("differing").checked = configured.length > 1;
  byId("differing-label").hidden = configured.length < 2;
  byId("key-filter").addEventListener("input", drawKeys);
  byId("differing").addEventListener("change", drawKeys);
  byId("settings-box").addEventListener("toggle", () => { if (!byId("keys").children.length) drawKeys(); });
}
