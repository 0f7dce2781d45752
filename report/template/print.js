// A figure fits its window; for paper, where the page is laid out by now, it is drawn anew, and low enough that what
// belongs to it stays on its page.
const paper = matchMedia("print");
paper.addEventListener("change", () => {
  const width = document.querySelector("main").clientWidth;
  for (const figure of document.querySelectorAll(".js-plotly-plot")) {
    const height = paper.matches ? 460 : 600;
    Plotly.relayout(figure, paper.matches ? { width, height } : { width: null, height, autosize: true });
  }
});
