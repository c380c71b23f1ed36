for (const head of document.querySelectorAll("table.sortable th, table.dataframe thead tr:last-child th")) {
  head.tabIndex = 0;
  head.onclick = () => {
    const rows = [...head.closest("table").tBodies[0].rows];
    const text = row => row.cells[head.cellIndex].textContent;
    const number = row => text(row) === "" ? -Infinity : parseFloat(text(row).replaceAll(",", ""));
    const numeric = rows.every(row => !Number.isNaN(number(row)));
    const order = numeric ? (a, b) => number(a) - number(b) : (a, b) => text(a).localeCompare(text(b));
    const up = head.ariaSort !== "ascending";
    head.parentNode.querySelectorAll("th").forEach(other => other.ariaSort = "none");
    head.ariaSort = up ? "ascending" : "descending";
    rows.sort((a, b) => up ? order(a, b) : order(b, a)).forEach(row => row.parentNode.append(row));
  };
  head.onkeydown = event => { if (event.key === "Enter") head.click(); };
}
for (const head of document.querySelectorAll("thead tr:last-child > :first-child"))
  new ResizeObserver(() => head.closest("table").style.setProperty("--first", `${head.offsetWidth}px`)).observe(head);
