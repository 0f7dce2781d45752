// A figure fits its window; for paper, where the page is laid out by now, it is drawn anew.
const paper = matchMedia("print");
paper.addEventListener("change", () => {
  const width = document.querySelector("main").clientWidth;
  for (const figure of document.querySelectorAll(".js-plotly-plot")) {
    Plotly.relayout(figure, paper.matches ? { width } : { width: null, autosize: true });
  }
});
