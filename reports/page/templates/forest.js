"use strict";
// Draws estimates with intervals, one line each, and costs beside them. It knows nothing of the
// page around it: what it draws is in its arguments, its colours are CSS variables.

const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function html(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Three decimals, never -0.000; a dash where there is no value.
function figure(value) {
  if (value === null || value === undefined) return "–";
  const text = value.toFixed(3);
  return text === "-0.000" ? "0.000" : text;
}

function seconds(value) {
  if (value === null || value === undefined) return "–";
  for (const [size, unit] of [[3600, "h"], [60, "min"]]) {
    if (value >= size) return `${Number((value / size).toPrecision(3))} ${unit}`;
  }
  return `${Number(value.toPrecision(3))} s`;
}

// A round step that cuts a range into about `count` parts.
function step(span, count) {
  const rough = span / count, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
}

// From the lowest to the highest of some values, with round ends inside the limits.
function domainOf(values, limits) {
  const known = values.filter((value) => value !== null && value !== undefined);
  if (!known.length) return limits;
  const low = Math.max(limits[0], Math.floor(Math.min(...known) * 20) / 20 - 0.001);
  const high = Math.min(limits[1], Math.ceil(Math.max(...known) * 20) / 20 + 0.001);
  return high - low < 0.1 ? [Math.max(limits[0], low - 0.1), Math.min(limits[1], high + 0.1)] : [low, high];
}

// Round marks at most as far apart as `count` of them take.
function ticksOf([low, high], count) {
  const by = step(high - low, count), found = [];
  for (let at = Math.ceil(low / by - 1e-9); at * by <= high + 1e-9; at += 1) {
    found.push(Number((at * by).toPrecision(12)));
  }
  return found;
}

// Whole decades, or 1, 2 and 5 of each where there are few.
function logTicks([low, high]) {
  const few = Math.log10(high / low) < 2.2, found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high) + 1e-9; power += 1) {
    for (const one of few ? [1, 2, 5] : [1]) {
      const at = one * 10 ** power;
      if (at >= low * 0.999 && at <= high * 1.001) found.push(at);
    }
  }
  return found;
}

// Families differ in shape as well as in colour: circle, square, triangle, diamond and so on.
const SHAPES = [
  (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (r) => `M${-r} ${-r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (r) => `M0 ${-1.2 * r}L${1.2 * r} ${r}H${-1.2 * r}z`,
  (r) => `M0 ${-1.35 * r}L${1.35 * r} 0L0 ${1.35 * r}L${-1.35 * r} 0z`,
  (r) => `M0 ${1.2 * r}L${1.2 * r} ${-r}H${-1.2 * r}z`,
  (r) => `M${-r} ${-r / 2.6}H${-r / 2.6}V${-r}H${r / 2.6}V${-r / 2.6}H${r}V${r / 2.6}H${r / 2.6}V${r}H${-r / 2.6}V${r / 2.6}H${-r}z`,
];

function mark(shape, x, y, r, filled, colour) {
  return svg("path", {
    d: SHAPES[shape % SHAPES.length](r), transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
    class: filled ? "dot filled" : "dot", style: `--c:var(${colour})`,
  });
}

function shortened(text, most) {
  if (text.length <= most) return text;
  const kept = Math.max(most - 1, 4), end = Math.floor(kept / 2);
  return `${text.slice(0, kept - end)}…${text.slice(-end)}`;
}

const LETTER = 6.6; // px, of text of 12 px

// Labels on top of lines, each in the first of a few rows where it does not touch another.
function tiers(labels, width) {
  const ends = [];
  return labels.map(({ x, text }) => {
    const size = text.length * LETTER * 0.92;
    const left = Math.min(Math.max(x - size / 2, 0), width - size);
    let tier = ends.findIndex((end) => end + 8 < left);
    if (tier < 0) tier = ends.push(0) - 1;
    ends[tier] = left + size;
    return { left, tier };
  });
}

/* rows: {id, label, value, low, high, rings, shape, colour, filled, note, level, heading, said}
   lines: {label, value, struck}; marks: {label, value}
   options: {width, axis, limits, hatched, label} */
function drawForest(target, rows, lines, marks, options) {
  const { width } = options, narrow = width < 560;
  const right = narrow ? 46 : 142, left = narrow ? 6 : Math.min(250, Math.max(150, width * 0.27));
  const high = narrow ? 34 : 19, inside = width - left - right;
  const [from, to] = options.domain ?? domainOf([
    ...rows.flatMap((row) => [row.value, row.low, row.high, ...(row.rings ?? [])]),
    ...lines.map((line) => line.value), ...marks.map((one) => one.value),
  ], options.limits);
  const x = (value) => left + ((value - from) / (to - from)) * inside;
  const shown = lines.filter((line) => line.value !== null).sort((a, b) => a.value - b.value);
  const texts = shown.map((line) => ({ x: x(line.value), text: `${line.label} ${figure(line.value)}` }));
  const places = tiers(texts, width);
  const top = 8 + 13 * (1 + Math.max(-1, ...places.map((place) => place.tier)));
  const heights = rows.map((row) => (row.heading && !(narrow && known(row)) ? 22 : high));
  const bottom = top + heights.reduce((sum, one) => sum + one, 0) + 4;
  const whole = bottom + 34 + (marks.length ? 16 : 0);
  const parts = [];
  if (options.hatched) parts.push(svg("rect", { class: "hatched", x: left, y: top, width: inside, height: bottom - top }));
  for (const at of ticksOf([from, to], Math.max(3, inside / 70))) {
    parts.push(
      svg("line", { class: "grid", x1: x(at), x2: x(at), y1: top, y2: bottom }),
      svg("text", { class: "soft", x: x(at), y: bottom + 15, "text-anchor": "middle" }, String(at)),
    );
  }
  parts.push(svg("text", { class: "soft", x: left + inside / 2, y: bottom + 30, "text-anchor": "middle" }, options.axis));
  shown.forEach((line, place) => {
    const { left: start, tier } = places[place], at = x(line.value);
    parts.push(
      svg("line", { class: "reference", x1: at, x2: at, y1: 13 * tier + 14, y2: bottom }),
      svg("text", { class: line.struck ? "soft struck" : "soft", x: start, y: 13 * tier + 10 }, texts[place].text),
    );
  });
  let y = top;
  rows.forEach((row, place) => {
    parts.push(drawRow(row, y, heights[place], { x, width, left, right, narrow, from, to }));
    y += heights[place];
  });
  for (const one of marks) {
    parts.push(svg("path", {
      d: SHAPES[2](5), transform: `translate(${x(one.value)} ${bottom + 40})`, class: "dot", style: "--c:var(--ink)",
    }, svg("title", {}, `${one.label}: ${figure(one.value)}`)));
  }
  if (marks.length) parts.push(svg("text", { class: "soft", x: left - 6, y: bottom + 44, "text-anchor": narrow ? "start" : "end" }, narrow ? "" : "published"));
  target.setAttribute("viewBox", `0 0 ${width} ${whole}`);
  target.setAttribute("width", width);
  target.setAttribute("height", whole);
  target.replaceChildren(...parts);
}

const known = (row) => row.value !== undefined && row.value !== null;

function drawRow(row, y, height, { x, width, left, right, narrow, from, to }) {
  const middle = narrow ? y + 25 : y + height / 2;
  if (row.heading) {
    const group = svg("g", { role: "presentation", class: "heading" },
      svg("text", { x: narrow ? 6 : 0, y: y + 16, class: "head" }, row.label));
    if (!known(row)) return group;
    group.append(
      svg("line", { class: "bar", x1: x(row.low ?? row.value), x2: x(row.high ?? row.value), y1: middle, y2: middle, style: `--c:var(${row.colour})` }),
      svg("path", { d: SHAPES[3](5), transform: `translate(${x(row.value)} ${middle})`, class: "dot filled", style: "--c:var(--ink)" }, svg("title", {}, row.said)),
      svg("text", { x: narrow ? width - 2 : width - right + 8, y: narrow ? y + 16 : middle + 4, class: "value", "text-anchor": narrow ? "end" : "start" }, `${narrow ? "" : "◆ "}${figure(row.value)}`),
    );
    return group;
  }
  const group = svg("g", {
    role: "option", id: row.id, class: `row${row.chosen ? " chosen" : ""}${row.off ? " off" : ""}`,
    "aria-label": row.said, "aria-selected": row.chosen ? "true" : "false", "data-key": row.key,
  }, svg("rect", { class: "ground", x: 0, y, width, height }));
  const room = narrow ? Math.floor((width - 70) / LETTER) : Math.floor((left - 12 - 12 * (row.level ?? 0)) / LETTER);
  const name = svg("text", {
    class: row.struck ? "struck" : null, x: narrow ? 6 + 12 * (row.level ?? 0) : left - 10, y: narrow ? y + 13 : middle + 4,
    "text-anchor": narrow ? "start" : "end",
  }, shortened(row.label, room));
  if (row.label.length > room) name.append(svg("title", {}, row.label));
  group.append(name);
  if (row.value === null || row.value === undefined) {
    group.append(svg("text", { class: "soft", x: narrow ? 6 : left + 4, y: narrow ? y + 29 : middle + 4 }, row.note ?? "–"));
    return group;
  }
  const colour = `--c:var(${row.colour})`;
  for (const ring of row.rings ?? []) {
    if (ring !== null) group.append(svg("circle", { class: "ring", cx: x(ring).toFixed(1), cy: middle, r: 3, style: colour }));
  }
  if (row.low !== null && row.low !== undefined) {
    group.append(svg("line", { class: "bar", x1: x(Math.max(row.low, from)).toFixed(1), x2: x(Math.min(row.high, to)).toFixed(1), y1: middle, y2: middle, style: colour }));
  }
  group.append(mark(row.shape, x(row.value), middle, row.level ? 3.5 : 4.6, row.filled, row.colour));
  const value = svg("text", { class: "value", x: width - right + 8, y: narrow ? y + 13 : middle + 4 }, figure(row.value));
  group.append(value);
  if (!narrow) {
    group.append(svg("text", { class: "limits", x: width, y: middle + 4, "text-anchor": "end" },
      row.low === null || row.low === undefined ? "–" : `[${figure(row.low)}, ${figure(row.high)}]`));
  }
  return group;
}

/* points: {id, key, label, time, value, shape, colour, filled, said}; lines: {label, value}
   options: {width, height, axis, limits} */
function drawCosts(target, points, lines, options) {
  const { width, height } = options, left = 40, right = 10, top = 10, bottom = height - 38;
  const times = points.map((point) => point.time);
  const low = Math.min(...times) / 1.4, high = Math.max(...times) * 1.4;
  const [from, to] = domainOf([...points, ...lines].map((one) => one.value), options.limits);
  const x = (time) => left + (Math.log(time / low) / Math.log(high / low)) * (width - left - right);
  const y = (value) => bottom - ((value - from) / (to - from)) * (bottom - top);
  const parts = [];
  for (const at of ticksOf([from, to], 5)) {
    parts.push(
      svg("line", { class: "grid", x1: left, x2: width - right, y1: y(at), y2: y(at) }),
      svg("text", { class: "soft", x: left - 5, y: y(at) + 4, "text-anchor": "end" }, String(at)),
    );
  }
  let taken = -Infinity;
  for (const at of logTicks([low, high])) {
    parts.push(svg("line", { class: "grid", x1: x(at), x2: x(at), y1: top, y2: bottom }));
    const text = `${Number(at.toPrecision(3)).toLocaleString("en")} s`, half = text.length * LETTER / 2;
    if (x(at) - half < taken + 4 || x(at) + half > width) continue;
    parts.push(svg("text", { class: "soft", x: x(at), y: bottom + 15, "text-anchor": "middle" }, text));
    taken = x(at) + half;
  }
  for (const line of lines) {
    const at = y(line.value);
    parts.push(
      svg("line", { class: "reference", x1: left, x2: width - right, y1: at, y2: at }),
      svg("text", { class: "soft", x: width - right - 2, y: at - 3, "text-anchor": "end" }, line.label),
    );
  }
  parts.push(svg("text", { class: "soft", x: left + (width - left - right) / 2, y: height - 6, "text-anchor": "middle" }, options.axis));
  for (const point of points) {
    const group = svg("g", {
      role: "option", id: point.id, "data-key": point.key, class: `row${point.chosen ? " chosen" : ""}`,
      "aria-label": point.said, "aria-selected": point.chosen ? "true" : "false",
    }, svg("circle", { class: "ground", cx: x(point.time), cy: y(point.value), r: 12 }),
    mark(point.shape, x(point.time), y(point.value), 4.6, point.filled, point.colour), svg("title", {}, point.said));
    parts.push(group);
  }
  target.setAttribute("viewBox", `0 0 ${width} ${height}`);
  target.setAttribute("width", width);
  target.setAttribute("height", height);
  target.replaceChildren(...parts);
}

// One tab stop: arrows move the active line, `act(key, event)` gets all other keys.
function navigable(target, act, moved) {
  const options = () => [...target.querySelectorAll("[role=option]")];
  const activate = (option) => {
    for (const other of target.querySelectorAll(".active")) other.classList.remove("active");
    if (!option) return;
    option.classList.add("active");
    target.setAttribute("aria-activedescendant", option.id);
    moved(option.dataset.key);
  };
  target.addEventListener("keydown", (event) => {
    const all = options(), at = all.findIndex((one) => one.classList.contains("active"));
    const to = {
      ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: Math.max(at - 1, 0), ArrowLeft: Math.max(at - 1, 0), Home: 0, End: all.length - 1,
    }[event.key];
    if (to !== undefined) {
      activate(all[Math.min(to, all.length - 1)]);
      event.preventDefault();
    } else if (at >= 0 && act(all[at].dataset.key, event.key)) event.preventDefault();
  });
  target.addEventListener("focus", () => {
    if (!target.querySelector(".active")) activate(options()[0]);
  });
  target.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) { activate(option); act(option.dataset.key, event.shiftKey ? "p" : "Enter"); }
  });
  return (key) => activate(options().find((one) => one.dataset.key === key));
}
