// The page as a whole: the legend, which shows and hides runs in all sections, and the first drawing.

function drawLegend() {
  const legend = byId("legend");
  legend.hidden = !several;
  legend.replaceChildren(...runs.map((run, place) => {
    const button = make("button", "chip");
    button.type = "button";
    button.setAttribute("aria-pressed", !hidden.has(place));
    const name = text("bdi", "name", run.name);
    button.title = run.place;
    button.append(make("i", `swatch ${colorOf(place)}`), name);
    button.addEventListener("click", () => {
      if (!hidden.delete(place) && shownRuns().length > 1) hidden.add(place);
      drawLegend();
      redraw();
      byId("legend").children[place].focus();
    });
    return button;
  }));
}

function redraw() {
  if (curveNames.length) redrawCurves();
  if (classes.length) redrawClasses();
}

drawLegend();
drawSummary();
drawCurves();
drawClasses();
drawFrames();
drawSettings();
redraw();
document.documentElement.dataset.drawn = "true";
