// Cells of AG Grid that are more than text.
const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});

cells.Link = (props) => {
  const { text, href } = props.data[props.colDef.colId];
  return window.React.createElement("a", { href, tabIndex: -1, target: "_blank", rel: "noopener" }, text);
};
