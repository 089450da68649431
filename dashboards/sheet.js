function (cell, params, onRendered) {
  const table = cell.getTable(), caption = "__CAPTION__";
  const give = (root, selector, attributes) => {
    for (const found of root.querySelectorAll(selector)) {
      for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
    }
  };
  const mend = () => {
    // A grid may hold rows only: the part that scrolls becomes a group of rows, the pager a row of one cell.
    const root = table.element;
    root.setAttribute("aria-label", caption);
    give(root, ".tabulator-tableholder", { role: "rowgroup", "aria-label": caption });
    give(root, ".tabulator-tableholder > .tabulator-table", { role: "presentation" });
    give(root, ".tabulator-footer", { role: "rowgroup" });
    give(root, ".tabulator-footer-contents", { role: "row" });
    give(root, ".tabulator-paginator", { role: "gridcell" });
    for (const head of root.querySelectorAll(".tabulator-col")) {
      const title = head.querySelector(".tabulator-col-title")?.textContent ?? "";
      for (const input of head.querySelectorAll("input")) input.setAttribute("aria-label", `${title} ${input.placeholder}`);
      if (head.classList.contains("tabulator-sortable")) head.setAttribute("tabindex", "0");
    }
  };
  const pressed = (event) => {
    const head = event.target.closest(".tabulator-col.tabulator-sortable");
    if (event.target.tagName === "INPUT" || event.target.tagName === "BUTTON") return;
    if (head && event.key === "Enter") { event.preventDefault(); head.querySelector(".tabulator-col-content").click(); return; }
    const rows = [...table.element.querySelectorAll(".tabulator-row")];
    const at = rows.findIndex((row) => row.classList.contains("qtw-at"));
    if (head || rows.length === 0) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + (event.key === "ArrowDown" ? 1 : -1)));
      for (const row of rows) row.classList.remove("qtw-at");
      rows[next].classList.add("qtw-at");
      rows[next].scrollIntoView({ block: "nearest" });
    }
    if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      [...rows[at].querySelectorAll(".tabulator-cell")].find((found) => found.offsetWidth > 0)?.click();
    }
  };
  if (!table.qtwMended) {
    table.qtwMended = true;
    table.on("tableBuilt", () => { mend(); table.element.addEventListener("keydown", pressed); });
  }
  return cell.getValue();
}
