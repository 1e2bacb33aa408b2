// What all pages share: their data, unpacked, and the making of elements.

const ONE = 65535;
const data = JSON.parse(document.getElementById("data").textContent);

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
}
const wide = (text) => new Uint32Array(bytes(text));
const shares = (text) => new Uint16Array(bytes(text));

function pairs(packed) {
  const end = wide(packed.end), index = wide(packed.index), share = shares(packed.share);
  return (place) => {
    const list = [];
    for (let at = place ? end[place - 1] : 0; at < end[place]; at++) list.push([index[at], share[at] / ONE]);
    return list;
  };
}

const byId = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// The index of the last of ascending values that is not above a value; -1 if all are.
function lastUpTo(values, value) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function nearest(values, value) {
  const before = lastUpTo(values, value);
  if (before < 0) return values.length ? 0 : -1;
  return before + 1 < values.length && values[before + 1] - value < value - values[before] ? before + 1 : before;
}
