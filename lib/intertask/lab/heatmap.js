// A matrix as SVG. Names are only ever set as text; colours follow the theme, ink the colour behind it.
const NS = "http://www.w3.org/2000/svg";
const SIDE = { light: { zero: [247, 247, 247], plus: [33, 102, 172], minus: [178, 24, 43] },
               dark: { zero: [48, 48, 48], plus: [120, 185, 240], minus: [244, 140, 110] } };

const make = (name, attributes = {}, parent = null, text = "") => {
  const node = document.createElementNS(NS, name);
  Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
  if (text) node.textContent = text;
  if (parent) parent.append(node);
  return node;
};
const html = (name, className, parent) => parent.appendChild(Object.assign(document.createElement(name), { className }));
const dark = () => document.body.dataset.jpThemeLight === "false";

function colour(share) {
  const side = SIDE[dark() ? "dark" : "light"];
  const end = share < 0 ? side.minus : side.plus;
  return side.zero.map((from, i) => Math.round(from + (end[i] - from) * Math.min(1, Math.abs(share))));
}
function ink(rgb) {
  const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}
const cut = (name, most) => ([...name].length > most ? [...name].slice(0, most - 1).join("") + "…" : name);

function render({ model, el }) {
  el.classList.add("intertask-heatmap");
  const title = html("h4", "", el), picture = html("div", "", el), bar = html("div", "bar", el);
  const tip = html("div", "tip", el);
  tip.hidden = true;
  let at = [0, 0]; // where the keyboard stands: -1 are the names
  let places = new Map();

  const choose = (row, column) => {
    const { rows, columns } = model.get("matrix");
    model.set("selected", [row < 0 ? "" : rows[row], column < 0 ? "" : columns[column]]);
    model.save_changes();
  };
  const hint = (node, text) => {
    tip.textContent = text;
    tip.hidden = false;
    const own = node.getBoundingClientRect(), all = el.getBoundingClientRect();
    tip.style.left = `${el.scrollLeft + Math.max(0, Math.min(own.left - all.left, all.width - tip.offsetWidth))}px`;
    const below = own.bottom - all.top + 4;
    tip.style.top = `${below + tip.offsetHeight > all.height ? own.top - all.top - tip.offsetHeight - 4 : below}px`;
  };
  const mark = () => {
    const { rows = [], columns = [] } = model.get("matrix");
    const [row, column] = model.get("selected");
    places.forEach((node, key) => {
      const [y, x] = key.split(",").map(Number);
      const own = (y < 0 ? "" : rows[y]) === row && (x < 0 ? "" : columns[x]) === column;
      node.setAttribute("aria-selected", own);
      node.setAttribute("tabindex", key === at.join() ? 0 : -1);
    });
  };
  const reachable = (parent, role, row, column, said, box) => {
    const node = make("g", { role, "aria-label": said, tabindex: -1, class: row < 0 || column < 0 ? "name" : "cell" }, parent);
    places.set(`${row},${column}`, node);
    node.addEventListener("click", () => { at = [row, column]; choose(row, column); });
    node.addEventListener("mouseenter", () => hint(node, said));
    node.addEventListener("focus", () => { at = [row, column]; mark(); if (node.matches(":focus-visible")) hint(node, said); });
    ["mouseleave", "blur"].forEach((name) => node.addEventListener(name, () => { tip.hidden = true; }));
    node.box = box;
    return node;
  };
  const frame = (node) => make("rect", { class: "frame", ...node.box }, node);

  function draw() {
    const { rows, columns, cells, ends, controls, level } = model.get("matrix");
    title.textContent = model.get("title");
    picture.replaceChildren();
    places = new Map();
    if (!rows || !rows.length) { bar.hidden = true; return; }
    const letters = (names) => 7.6 * Math.min(22, Math.max(...names.map((name) => [...name].length))) + 14;
    const narrow = el.clientWidth && el.clientWidth < 600;
    const left = Math.min(letters(rows), narrow ? 110 : 180);
    const wide = Math.max(24, Math.min(110, ((el.clientWidth || 900) - left - 4) / columns.length));
    const turned = wide < 8 * Math.min(22, Math.max(...columns.map((name) => name.length)));
    const high = wide < 50 ? 28 : 40, top = turned ? Math.min(letters(columns), 170) : 24;
    const width = left + wide * columns.length + 4, height = top + high * rows.length + 4;
    const svg = make("svg", { width, height, role: "grid", "aria-label": model.get("title") || "matrix",
      "aria-rowcount": rows.length + 1, "aria-colcount": columns.length + 1 }, picture);
    const head = make("g", { role: "row" }, svg);
    columns.forEach((name, x) => {
      const box = { x: left + x * wide + 1, y: 1, width: wide - 2, height: top - 2 };
      const node = reachable(head, "columnheader", -1, x, `target ${name}: its profile`, box);
      frame(node);
      const middle = left + (x + 0.5) * wide;
      make("text", turned ? { transform: `translate(${middle + 4} ${top - 5}) rotate(-90)` }
        : { x: middle, y: top - 8, "text-anchor": "middle" }, node, cut(name, 22));
    });
    const found = new Map(cells.map((cell) => [`${cell.row},${cell.column}`, cell]));
    rows.forEach((name, y) => {
      const line = make("g", { role: "row" }, svg), middle = top + (y + 0.5) * high + 4;
      const box = { x: 1, y: top + y * high + 1, width: left - 4, height: high - 2 };
      const header = reachable(line, "rowheader", y, -1, `supporting task ${name}: its profile`, box);
      frame(header);
      make("text", { x: left - 6, y: middle, "text-anchor": "end" }, header, cut(name, narrow ? 14 : 22));
      columns.forEach((target, x) => {
        const cell = found.get(`${y},${x}`), own = { x: left + x * wide + 1, y: box.y, width: wide - 2, height: high - 2 };
        const said = cell ? cell.said : `${name} → ${target}: not in the study`;
        const node = reachable(line, "gridcell", y, x, said, own);
        const known = cell && cell.value !== null, rgb = known ? colour(cell.value / ends) : null;
        make("rect", known ? { ...own, fill: `rgb(${rgb})` } : { ...own, class: cell ? "missing" : "", fill: "transparent" }, node);
        frame(node);
        if (known) make("text", { x: own.x + own.width / 2, y: middle, "text-anchor": "middle", style: `fill: ${ink(rgb)}` },
          node, wide < 46 ? Math.round(cell.value) + (cell.text.endsWith("*") ? "*" : "") : cell.text);
      });
    });
    if (controls && controls < rows.length) {
      const y = top + high * (rows.length - controls);
      make("line", { x1: 0, x2: width, y1: y, y2: y }, svg);
    }
    bar.hidden = false;
    bar.replaceChildren(`−${ends.toFixed(1)}`, document.createElement("i"), `+${ends.toFixed(1)} points; * p after Holm < ${level}`);
    bar.children[0].style.background = `linear-gradient(to right, ${[-1, 0, 1].map((s) => `rgb(${colour(s)})`).join()})`;
    if (!places.has(at.join())) at = [0, 0];
    mark();
  }

  picture.addEventListener("keydown", (event) => {
    const { rows, columns } = model.get("matrix");
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    if (!step) return choose(...at);
    const next = [Math.min(rows.length - 1, Math.max(-1, at[0] + step[0])), Math.min(columns.length - 1, Math.max(-1, at[1] + step[1]))];
    places.get(next.join())?.focus(); // the corner is nothing
  });
  let drawn = 0;
  const resized = new ResizeObserver(() => { if (Math.abs(el.clientWidth - drawn) > 8) { drawn = el.clientWidth; draw(); } });
  const theme = new MutationObserver(draw);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  resized.observe(el);
  model.on("change:matrix change:title", draw);
  model.on("change:selected", mark);
  model.on("msg:custom", (file, buffers) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([buffers[0]], { type: file.type }));
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  draw();
  return () => { resized.disconnect(); theme.disconnect(); };
}
export default { render };
