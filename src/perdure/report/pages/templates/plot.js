"use strict";
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const family = () => getComputedStyle(document.body).fontFamily;
  const paper = () => ({
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    "font.color": colour("--muted"),
    "font.family": family(),
    "xaxis.gridcolor": colour("--rule"),
    "yaxis.gridcolor": colour("--rule"),
    "hoverlabel.bgcolor": colour("--card"),
    "hoverlabel.font.color": colour("--ink"),
    "legend.font.color": colour("--ink"),
  });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  for (const plot of document.querySelectorAll(".plot")) {
    const drawing = plot.querySelector(".drawing");
    const figure = JSON.parse(plot.querySelector("script").textContent);
    const buttons = plot.querySelectorAll("button");
    Plotly.newPlot(drawing, figure.data, figure.layout, { displayModeBar: false, responsive: true })
      .then(() => Plotly.relayout(drawing, paper()));
    dark.addEventListener("change", () => Plotly.relayout(drawing, paper()));
    for (const button of buttons) {
      button.addEventListener("click", () => {
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        Plotly.relayout(drawing, JSON.parse(button.dataset.change));
      });
    }
  }
})();
