// Where labels go: beside the boxes, covering as little of other persons as possible; they shrink where there is no room.

const KINDS = 5; // above, below, right, left, inside
const CALM = 0.1; // a label changes sides only for so much of its area
const MOST_COVERED = 0.1; // of another person's box or label, or else the label becomes shorter

function placeOf(kind, box, size, width, height) {
  const corners = [
    [box[0], box[1] - size[1]], [box[0], box[3]], [box[2], box[1]], [box[0] - size[0], box[1]], [box[0], box[1]],
  ];
  const x = Math.max(0, Math.min(corners[kind][0], width - size[0]));
  const y = Math.max(0, Math.min(corners[kind][1], height - size[1]));
  return [x, y, x + size[0], y + size[1]];
}

function overlap(one, two) {
  const width = Math.min(one[2], two[2]) - Math.max(one[0], two[0]);
  const height = Math.min(one[3], two[3]) - Math.max(one[1], two[1]);
  return width > 0 && height > 0 ? width * height : 0;
}
const area = (box) => Math.max((box[2] - box[0]) * (box[3] - box[1]), 1);

// Choose a place and a length: {kind, lines}.
function chooseLabel(box, sizes, others, taken, width, height, usualKind) {
  let best = null;
  for (let lines = sizes.length - 1; lines >= 0; lines--) {
    best = null;
    for (let kind = 0; kind < KINDS; kind++) {
      const place = placeOf(kind, box, sizes[lines], width, height);
      const covered = [box, ...others, ...taken].reduce((sum, other) => sum + overlap(place, other), 0);
      const cost = covered / area(place) + (kind === usualKind ? 0 : CALM);
      if (!best || cost < best.cost) best = { kind, lines, cost, place };
    }
    if (![...others, ...taken].some((other) => overlap(best.place, other) > MOST_COVERED * area(other))) break;
  }
  return best;
}
