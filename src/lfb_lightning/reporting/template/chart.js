// A chart of lines: axes, lines with gaps, and a cursor that mouse and arrow keys move, with the values there in words.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 52, right: 12, top: 8, bottom: 24 };

function svg(tag, attributes, words) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (words !== undefined) element.textContent = words;
  return element;
}

// Round numbers from low to high, about as many as asked for.
function ticks(low, high, count) {
  const rough = (high - low) / Math.max(count, 1), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const list = [];
  for (let number = Math.ceil(low / step - 1e-9); number * step <= high + step * 1e-9; number++) list.push(number * step);
  return list;
}

function extent(values, fixed) {
  if (fixed) return fixed;
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value === null) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  if (low === high) return low === 0 ? [0, 1] : [low - Math.abs(low) / 2, high + Math.abs(high) / 2];
  const room = (high - low) * 0.04;
  return [low >= 0 && low < (high - low) ? 0 : low - room, high + room];
}

// chart.lines: [{run, label, x, y, thin}], x ascending, y with null for gaps. Returns {figure, set(lines, xName)}.
function lineChart({ title, height = 190, xRange, yRange, format = short, xFormat = short }) {
  const figure = make("figure", "chart"), head = make("figcaption"), plot = make("div", "plot"), readout = make("p", "readout");
  head.append(text("h3", "", title));
  plot.tabIndex = 0;
  plot.setAttribute("role", "slider");
  plot.setAttribute("aria-label", `${title}: move with the arrow keys to read values`);
  figure.append(head, plot, readout);
  let lines = [], xName = "", stops = [], at = -1, scale = null, mark = null;

  function draw() {
    const width = plot.clientWidth;
    if (!width) return;
    const canvas = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    const [x0, x1] = extent(lines.flatMap((line) => [line.x[0] ?? null, line.x[line.x.length - 1] ?? null]), xRange);
    const [y0, y1] = extent(lines.flatMap((line) => line.y), yRange);
    const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
    const x = (value) => MARGIN.left + ((value - x0) / (x1 - x0)) * inner.width;
    const y = (value) => MARGIN.top + (1 - (value - y0) / (y1 - y0)) * inner.height;
    scale = { x, y, x0, x1 };
    for (const value of ticks(y0, y1, 4)) {
      canvas.append(svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }));
      canvas.append(svg("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, short(Number(value.toPrecision(8)))));
    }
    for (const value of ticks(x0, x1, Math.max(2, Math.floor(inner.width / 90)))) {
      const anchor = x(value) > width - MARGIN.right - 14 ? "end" : "middle";
      canvas.append(svg("text", { x: x(value), y: height - 7, "text-anchor": anchor }, short(Number(value.toPrecision(8)))));
    }
    canvas.append(svg("line", { class: "axis", x1: MARGIN.left, x2: width - MARGIN.right, y1: height - MARGIN.bottom, y2: height - MARGIN.bottom }));
    for (const line of lines) canvas.append(...drawLine(line, x, y));
    mark = svg("line", { class: "cursor", y1: MARGIN.top, y2: height - MARGIN.bottom, visibility: "hidden" });
    canvas.append(mark);
    plot.replaceChildren(canvas);
    show(at);
  }

  function drawLine(line, x, y) {
    let path = "", pen = "M";
    const dots = [], few = line.y.length <= 40 && !line.thin;
    line.y.forEach((value, place) => {
      if (value === null) { pen = "M"; return; }
      path += `${pen}${x(line.x[place]).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
      if (few) dots.push(svg("circle", { class: `dot ${colorOf(line.run)}`, cx: x(line.x[place]), cy: y(value), r: 2.6 }));
    });
    return [svg("path", { class: `line ${colorOf(line.run)}${line.thin ? " thin" : ""}`, d: path }), ...dots];
  }

  function valueAt(line, where) {
    const place = nearest(line.x, where);
    return place < 0 ? null : line.y[place];
  }

  // Whether a line has values around a place: a run that ended long before has nothing to say there.
  function covers(line, where) {
    const [first, last] = [line.x[0], line.x[line.x.length - 1]], step = (last - first) / Math.max(line.x.length - 1, 1);
    return where >= first - step && where <= last + step;
  }

  function words(where) {
    const values = lines.filter((line) => line.x.length && covers(line, where)).map((line) => [line, valueAt(line, where)]);
    return values.map(([line, value]) => [line, value === null ? "no number" : format(value)]);
  }

  function show(place) {
    at = Math.max(-1, Math.min(place, stops.length - 1));
    readout.replaceChildren();
    if (at < 0) {
      for (const line of lines) if (line.x.length) readout.append(key(line, ""));
      if (mark) mark.setAttribute("visibility", "hidden");
      plot.removeAttribute("aria-valuetext");
      plot.setAttribute("aria-valuenow", 0);
      return;
    }
    const where = stops[at], values = words(where);
    readout.append(make("b", "", `${xName} ${xFormat(where)}`), ...values.map(([line, value]) => key(line, value)));
    if (mark && scale) {
      for (const end of ["x1", "x2"]) mark.setAttribute(end, scale.x(where));
      mark.setAttribute("visibility", "visible");
    }
    plot.setAttribute("aria-valuenow", at);
    plot.setAttribute("aria-valuetext", `${xName} ${xFormat(where)}: ${values.map(([line, value]) => `${line.label} ${value}`).join(", ")}`);
  }

  function key(line, value) {
    const element = make("span", `key${line.thin ? " thin" : ""}`);
    element.append(make("i", `swatch ${colorOf(line.run)}`), text("bdi", "", line.label), value ? make("b", "", value) : "");
    return element;
  }

  plot.addEventListener("pointermove", (event) => {
    if (!scale || !stops.length) return;
    const left = plot.getBoundingClientRect().left;
    const inner = (event.clientX - left - scale.x(scale.x0)) / (scale.x(scale.x1) - scale.x(scale.x0));
    show(nearest(stops, scale.x0 + inner * (scale.x1 - scale.x0)));
  });
  plot.addEventListener("pointerleave", () => { if (document.activeElement !== plot) show(-1); });
  plot.addEventListener("blur", () => show(-1));
  plot.addEventListener("keydown", (event) => {
    const leap = event.shiftKey ? 10 : 1;
    const next = { ArrowRight: at + leap, ArrowLeft: Math.max(at - leap, 0), Home: 0, End: stops.length - 1, Escape: -1 }[event.key];
    if (next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    show(next);
  });
  new ResizeObserver(draw).observe(plot);

  return {
    figure,
    set(newLines, newName) {
      [lines, xName, at] = [newLines, newName, -1];
      stops = [...new Set(lines.flatMap((line) => line.x))].sort((one, two) => one - two);
      plot.setAttribute("aria-valuemin", 0);
      plot.setAttribute("aria-valuemax", Math.max(stops.length - 1, 0));
      draw();
      show(-1);
    },
  };
}
