// What the model looked at: shares of a window, a chart over its seconds with thumbnails, and the rows with most weight.

const MOST_LOOKED = 6;
const STRIP = 8; // thumbnails under the chart

function thumbnail(second, box) {
  const frame = make("span", "thumb");
  frame.style.aspectRatio = `${data.width} / ${data.height}`;
  const source = thumbnailAt(second);
  if (source) {
    const picture = make("img");
    picture.src = source;
    picture.alt = "";
    frame.append(picture);
  }
  if (box) {
    const mark = make("i");
    mark.style.left = `${100 * box[0]}%`;
    mark.style.top = `${100 * box[1]}%`;
    mark.style.width = `${100 * (box[2] - box[0])}%`;
    mark.style.height = `${100 * (box[3] - box[1])}%`;
    frame.append(mark);
  }
  return frame;
}

function offset(second) {
  if (Math.abs(second) < 0.05) return "same moment";
  return `${second > 0 ? "+" : "−"}${Math.abs(second).toFixed(Number.isInteger(Math.round(second * 100) / 100) ? 0 : 1)} s`;
}

function shareBar(attention) {
  const parts = [
    ["listed", "in the chart", attention.rows.reduce((sum, [, weight]) => sum + weight, 0)],
    ["rest", wholeClips ? "other clips" : "other persons", attention.rest],
    ["empty", "empty slots", attention.empty],
  ];
  const bar = make("div", "shares"), words = make("p", "share-words");
  bar.setAttribute("aria-hidden", "true");
  for (const [kind, title, value] of parts) {
    const piece = make("i", kind);
    piece.style.width = `${100 * value}%`;
    bar.append(piece);
    const word = make("span", kind, `${title} `);
    word.append(make("b", "", percent(value)));
    word.dataset.share = value;
    words.append(word);
  }
  return [bar, words];
}

function chart(row, attention) {
  const [before, after] = data.window || [30, 30];
  const middle = secondOf(row), from = middle - before, width = before + after;
  const sums = new Map();
  for (const [other, weight] of attention.rows) sums.set(rowMoment[other], (sums.get(rowMoment[other]) || 0) + weight);
  const most = Math.max(...sums.values(), 1e-9);
  const element = make("div", "chart");
  element.setAttribute("role", "img");
  const best = [...sums].sort((one, two) => two[1] - one[1])[0];
  element.setAttribute("aria-label", `Attention over ${before} s before and ${after} s after` + (best ? `; most, ${percent(best[1])}, at ${clock(moments[best[0]])}` : ""));
  const bars = make("div", "bars");
  const now = make("i", "present-mark");
  now.style.left = `${(100 * before) / width}%`;
  bars.append(make("span", "scale", `at most ${percent(most)} per moment`), now);
  for (const [moment, weight] of sums) {
    const bar = make("i", "bar");
    const step = Math.min(ends(moment) - begins(moment), 1);
    bar.style.left = `${(100 * (moments[moment] - step / 2 - from)) / width}%`;
    bar.style.width = `${(100 * step) / width}%`;
    bar.style.height = `${(100 * weight) / most}%`;
    bar.title = `${clock(moments[moment])} (${offset(moments[moment] - middle)}): ${percent(weight)}`;
    bar.addEventListener("click", () => look(row, moment, null));
    bars.append(bar);
  }
  const strip = make("div", "strip");
  for (let number = 0; number < STRIP; number++) {
    const second = from + ((number + 0.5) * width) / STRIP;
    strip.append(second >= 0 && second <= data.seconds ? thumbnail(second, null) : make("span", "thumb outside"));
  }
  const ticks = make("div", "ticks");
  ticks.append(make("span", "", offset(-before)), make("span", "", clock(middle)), make("span", "", offset(after)));
  ticks.children[1].style.left = `${(100 * before) / width}%`;
  element.append(bars, strip, ticks);
  return element;
}

function lookedAt(row, attention) {
  const list = make("ol", "looked");
  for (const [other, weight] of attention.rows.slice(0, MOST_LOOKED)) {
    const item = make("li"), button = make("button");
    button.type = "button";
    button.dataset.row = other;
    button.dataset.weight = weight;
    const words = make("span", "words");
    words.append(make("b", "", percent(weight)), make("span", "", nameOf(rowTrack[other])), make("span", "", `${clock(secondOf(other))} (${offset(secondOf(other) - secondOf(row))})`));
    button.append(thumbnail(secondOf(other), boxOf(other)), words);
    button.addEventListener("click", () => look(row, rowMoment[other], other));
    item.append(button);
    list.append(item);
  }
  return list;
}

function layerChoice() {
  const group = make("span", "group layers");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Layer of the attention");
  for (const layer of [-1, ...Array.from({ length: layers }, (_, number) => number)]) {
    const button = make("button", "", layer < 0 ? "Mean" : `Layer ${layer + 1}`);
    button.type = "button";
    button.setAttribute("aria-pressed", layer === state.layer);
    button.addEventListener("click", () => {
      state.layer = layer;
      drawDetails();
      document.querySelector(`.layers [aria-pressed="true"]`).focus();
    });
    group.append(button);
  }
  return group;
}

function attentionSection(row) {
  const section = make("section", "attention");
  const head = make("div", "head");
  head.append(make("h3", "", "What the model looked at"));
  section.append(head);
  const attention = layers ? attentionOf(row, state.layer) : null;
  if (!attention) {
    section.append(make("p", "quiet", data.window ? `The attention was not stored for this ${wholeClips ? "clip" : "person and moment"}.` : "This model reads no memory: it decides from the clip alone."));
    return section;
  }
  if (layers > 1) head.append(layerChoice());
  section.append(...shareBar(attention), chart(row, attention), lookedAt(row, attention));
  return section;
}
