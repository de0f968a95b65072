// The page of a run: what is in view, in the address; figures, one table, and pairs of systems.

const DATA = JSON.parse(document.getElementById("data-of-page").textContent);
const by = (id) => document.getElementById(id);
const MEASURES = DATA.measures; // [name, title, lowest]
const NORMAL = 1.959964, POWER = 2.801585; // for 95 %; and to see a difference with 80 % power
const counted = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many ?? `${one}s`}`;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const every = DATA.groups.flatMap((group) => group.systems.map((system, at) => Object.assign(system, { group, at })));
const usual = { g: (DATA.groups.find((g) => !g.audit) ?? DATA.groups[0])?.key, m: "auc", rule: "declared", o: "family", f: "", r: "", u: "", q: "", a: "", b: "", all: "", s: "" };
let state = { ...usual };
const open = new Set(); // backbones whose classifiers are shown

/* ---- State in the address ---- */

function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  state = { ...usual };
  for (const name of Object.keys(usual)) if (given.has(name)) state[name] = given.get(name);
  if (!DATA.groups.some((group) => group.key === state.g)) state.g = usual.g;
  if (!MEASURES.some(([name]) => name === state.m)) state.m = "auc";
  if (group()?.audit) state.u = "1";
  for (const side of "ab") if (state[side] && !find(state[side])) state[side] = "";
  return given.get("at");
}

function write(at) {
  const changed = Object.entries(state).filter(([name, value]) => value !== usual[name]);
  const text = new URLSearchParams(at ? [...changed, ["at", at]] : changed).toString();
  history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
}

function set(change) {
  Object.assign(state, change);
  if (!state.u && group()?.audit) state.g = usual.g;
  for (const side of "ab") if (state[side] && !find(state[side])) state[side] = "";
  write();
  draw();
}

/* ---- What is in view ---- */

const group = () => DATA.groups.find((one) => one.key === state.g);
const find = (key, of = group()) => of?.systems.find((one) => one.k === key);
const measure = () => MEASURES.findIndex(([name]) => name === state.m);
const value = (system, at = measure()) => system.v?.[at]?.[0] ?? null;
const family = (system) => DATA.families[system.f];
const named = (system) => (system.c ? `${system.e}, ${system.c}` : system.e);

// auc>0.65, classifier:linear, or words; what is no such test is a word.
function tests(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const [, name, sign, number] = word.match(/^([a-z]+)(>=|<=|>|<|=)(-?[\d.]+)$/) ?? [];
    const at = MEASURES.findIndex(([one]) => name && one.startsWith(name));
    if (number !== undefined && (at >= 0 || "time".startsWith(name))) {
      const limit = Number(number);
      return (system) => {
        const own = at >= 0 ? value(system, at) : system.t;
        if (own === null || own === undefined) return false;
        return { ">": own > limit, "<": own < limit, ">=": own >= limit, "<=": own <= limit, "=": Math.abs(own - limit) < 5e-4 }[sign];
      };
    }
    const [column, ...rest] = word.split(":");
    const plain = (some) => String(some ?? "").toLowerCase().replaceAll("_", " ");
    const fields = { extractor: "x", system: "x", backbone: "x", classifier: "c", weights: "w" };
    const wanted = plain(rest.join(":"));
    if (rest.length && fields[column]) return (system) => plain(system[fields[column]]).includes(wanted);
    if (rest.length && column === "family") return (system) => family(system).name.includes(wanted);
    return (system) => plain(`${system.x} ${system.e} ${system.c} ${system.w} ${family(system).name} ${system.n ?? ""}`).includes(plain(word));
  });
}

function inFamilies(system) {
  const hidden = state.f ? state.f.split(",") : [];
  return system.random ? state.r === "1" : !hidden.includes(family(system).key);
}

// A line for each backbone: the system that the rule takes, and the others.
function linesOf(of = group()) {
  const words = tests(state.q), found = new Map();
  for (const system of of.systems) {
    if (system.o || !inFamilies(system)) continue;
    if (!found.has(system.e)) found.set(system.e, []);
    found.get(system.e).push(system);
  }
  const lines = [];
  for (const members of found.values()) {
    const chosen = members.find((one) => (state.rule === "declared" ? one.d : one.c === state.rule));
    if (chosen && words.every((test) => test(chosen))) lines.push({ chosen, members });
  }
  const order = {
    value: (one) => -(value(one.chosen) ?? -9), time: (one) => one.chosen.t ?? Infinity, family: (one) => -(value(one.chosen) ?? -9),
  }[state.o];
  if (order) lines.sort((a, b) => order(a) - order(b));
  else if (state.o === "name") lines.sort((a, b) => a.chosen.e.localeCompare(b.chosen.e));
  if (state.o === "family") lines.sort((a, b) => a.chosen.f - b.chosen.f);
  return lines.sort((a, b) => Boolean(a.chosen.s) - Boolean(b.chosen.s));
}

/* ---- Pairs ---- */

function decoded(block) {
  if (!block.numbers) {
    const bytes = Uint8Array.from(atob(block.data), (letter) => letter.charCodeAt(0));
    block.numbers = new Int16Array(bytes.buffer);
    block.place = new Map(block.at.map((system, place) => [system, place]));
  }
  return block;
}

// A less B: its interval alone, and its standard error, from the bootstrap over patients.
function difference(a, b, of = group()) {
  const block = of.pairs?.[state.m];
  if (!block || value(a) === null || value(b) === null || a === b) return null;
  const { place, numbers } = decoded(block), n = block.at.length;
  let [i, j] = [place.get(a.at), place.get(b.at)];
  if (i === undefined || j === undefined) return null;
  const turned = i > j;
  if (turned) [i, j] = [j, i];
  const pairs = (n * (n - 1)) / 2, at = i * n - (i * (i + 1)) / 2 + (j - i - 1);
  const [low, high, error] = numbers.length === pairs ? [null, null, numbers[at]]
    : [0, 1, 2].map((part) => numbers[part * pairs + at]);
  if (error === -32768) return null;
  const scaled = (one) => (one === null ? null : one / block.scale);
  const ends = turned ? [high === null ? null : -high, low === null ? null : -low] : [low, high];
  return { value: value(a) - value(b), low: scaled(ends[0]), high: scaled(ends[1]), error: scaled(error) };
}

// How many standard errors a difference must have, all pairs in view at once.
function critical(of = group()) {
  const of_rule = of.critical?.[state.m]?.[state.rule];
  return of_rule ? of_rule[state.r === "1" ? 1 : 0] : null;
}

function untold(lines, of = group()) {
  const ran = lines.map((line) => line.chosen).filter((one) => value(one) !== null);
  const highest = ran.reduce((best, one) => (best && value(best) >= value(one) ? best : one), null);
  const limit = critical(of), found = new Set();
  if (limit === null || of.few) return null;
  for (const one of ran) {
    if (one === highest) { found.add(one); continue; }
    const apart = difference(highest, one, of);
    if (apart && Math.abs(apart.value) <= limit * apart.error) found.add(one);
  }
  return found;
}

/* ---- The first screen ---- */

function lead(lines, filled) {
  // Random weights are in no sentence.
  const of = group(), real = lines.map((line) => line.chosen).filter((one) => !one.random && value(one) !== null);
  const values = real.map((one) => value(one)), told_n = filled ? real.filter((one) => filled.has(one)).length : 0;
  const title = MEASURES[measure()][1], parts = [];
  const rule = state.rule === "declared" ? `${capital(DATA.declared)} (declared)` : capital(state.rule);
  if (!values.length) parts.push("No backbone is shown.");
  else {
    const low = figure(Math.min(...values)), high = figure(Math.max(...values));
    const told = filled && values.length > 1 ? `; ${told_n} of them not told from the highest (filled)` : "";
    parts.push(`${rule} on ${counted(values.length, "backbone")}: ${title} ${low === high ? low : `${low} to ${high}`}${told}.`);
  }
  const selected = of.systems.find((one) => one.o === "selected" && value(one) !== null);
  if (selected) parts.push(`Choosing inside the training rows gave ${figure(value(selected))}.`);
  const points = references(of).filter((line) => !line.struck && line.value !== null).map((line) => `${line.label} ${figure(line.value)}`);
  if (points.length) parts.push(`${capital(points.join("; "))}.`);
  by("lead").textContent = parts.join(" ");
}

function references(of) {
  return of.systems.filter((one) => one.o === "reference" && one.v).map((one) => ({
    label: one.void ? `${one.e}: the label was made from it,` : one.e, value: value(one), struck: Boolean(one.void), key: one.k,
  }));
}

function row(system, level, filled, rings) {
  const [mean, low, high] = system.v?.[measure()] ?? [null, null, null];
  const sides = ["a", "b"].filter((side) => state[side] === system.k);
  const label = (sides.length ? `${sides.join("").toUpperCase()} · ` : "") + (level ? system.c : system.e);
  const title = MEASURES[measure()][1];
  const limits = low === null ? "no interval" : `${figure(low)} to ${figure(high)}`;
  const told = filled?.has(system) ? ", not told from the highest" : "";
  return {
    id: `line-${system.at}`, key: system.k, label, value: mean, low, high, rings, level, filled: filled ? filled.has(system) : false,
    shape: family(system).shape, colour: family(system).colour, chosen: sides.length > 0, note: system.s ? shortened(system.s, 60) : "–", off: Boolean(system.s),
    said: system.s ? `${named(system)}: ${system.s}` : `${named(system)}: ${title} ${figure(mean)}, ${limits}${told}`,
  };
}

function rows(lines, filled) {
  const of = group(), found = [];
  const selected = of.systems.find((one) => one.o === "selected");
  if (selected && state.q === "") {
    const all = row(selected, 0, null, []);
    found.push({ ...all, label: `${selected.k === state.a ? "A · " : selected.k === state.b ? "B · " : ""}selected, all families`, filled: true, shape: 3, colour: "--ink" });
  }
  let last = null;
  for (const { chosen, members } of lines) {
    if (state.o === "family" && chosen.f !== last) {
      last = chosen.f;
      const best = of.selected?.[family(chosen).key]?.[measure()];
      const said = best ? `selected within ${family(chosen).name}: ${figure(best[0])}` : "";
      found.push({ heading: true, label: family(chosen).name, colour: family(chosen).colour, value: best?.[0], low: best?.[1], high: best?.[2], said });
    }
    const others = members.filter((one) => one !== chosen);
    const shown = open.has(chosen.e) || linesAlone(lines);
    found.push(row(chosen, 0, filled, shown ? [] : others.map((one) => value(one))));
    if (shown) found.push(...others.map((one) => row(one, 1, null, [])));
  }
  return found;
}

const linesAlone = (lines) => lines.length === 1 && state.q === "";

function drawFirst() {
  const of = group(), lines = linesOf(), filled = untold(lines), title = MEASURES[measure()][1], lowest = MEASURES[measure()][2];
  lead(lines, filled);
  const published = state.m === "accuracy" ? of.published ?? [] : [];
  const all = rows(lines, filled), width = Math.round(by("forest-frame").clientWidth);
  drawForest(by("forest"), all, references(of), published, { width, axis: title, limits: [lowest, 1], hatched: of.audit });
  by("forest").setAttribute("aria-label", `${title} of ${counted(lines.length, "backbone")}, ${of.title}. Arrow keys move, Enter opens classifiers, p takes a line for A or B.`);
  const timed = lines.filter((line) => line.chosen.t && value(line.chosen) !== null);
  by("costs-frame").hidden = timed.length < 2;
  by("cost-sentence").textContent = timed.length === 1 ? `${capital(named(timed[0].chosen))}: ${seconds(timed[0].chosen.t)} of training.` : "";
  if (timed.length > 1) {
    const points = timed.map(({ chosen }) => ({ ...row(chosen, 0, filled, []), id: `cost-${chosen.at}`, time: chosen.t, said: `${named(chosen)}: ${title} ${figure(value(chosen))}, ${seconds(chosen.t)}` }));
    const readers = references(of).filter((line) => line.label.includes("reader") && !line.struck);
    drawCosts(by("costs"), points, readers, { width: Math.round(by("costs-frame").clientWidth), height: Math.max(240, Math.min(420, width * 0.5)), axis: "time to the first prediction", limits: [lowest, 1] });
  }
  by("legend").replaceChildren(...DATA.families.filter((_, at) => lines.some((line) => line.chosen.f === at)).map((one) => {
    const picture = svg("svg", { width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" }, mark(one.shape, 0, 0, 4.5, true, one.colour));
    return html("span", {}, picture, ` ${one.name}`);
  }));
  by("fewer").hidden = !of.few;
  by("audit-note").hidden = !of.audit;
  by("facts").textContent = of.facts;
  const without = new Set(of.systems.filter((one) => !one.o && inFamilies(one)).map((one) => one.e)).size - lines.length;
  by("without").textContent = without > 0 ? `${counted(without, "backbone")} not shown: another classifier, or filtered.` : "";
  asTable("forest-table", ["System", title, "Low", "High"], () => all.filter((one) => !one.heading).map((one) => [one.label, figure(one.value), figure(one.low), figure(one.high)]));
  asTable("costs-table", ["System", "Time", title], () => timed.map(({ chosen }) => [named(chosen), seconds(chosen.t), figure(value(chosen))]));
}

// The same figures as a table, made when it is opened.
function asTable(id, titles, make) {
  const part = by(id);
  const fill = () => part.open && part.lastElementChild.replaceChildren(
    html("caption", {}, part.dataset.caption),
    html("thead", {}, html("tr", {}, ...titles.map((title) => html("th", { scope: "col" }, title)))),
    html("tbody", {}, ...make().map(([head, ...cells]) => html("tr", {}, html("th", { scope: "row" }, head), ...cells.map((cell) => html("td", { class: "number" }, cell))))),
  );
  part.ontoggle = fill;
  fill();
}

/* ---- A and B ---- */

function take(key) {
  if (state.a === key) set({ a: "" });
  else if (state.b === key) set({ b: "" });
  else set(state.a && !state.b ? { b: key } : { a: key, ...(state.b === key ? { b: "" } : {}) });
}

function wrong(system) {
  const bytes = Uint8Array.from(atob(system.wrong), (letter) => letter.charCodeAt(0));
  return (at) => (bytes[at >> 3] >> (at & 7)) & 1;
}

function drawPair() {
  const of = group(), [a, b] = [find(state.a), find(state.b)], title = MEASURES[measure()][1];
  for (const side of ["a", "b"]) {
    const select = by(`pair-${side}`);
    if (select.dataset.group !== `${of.key}${state.r}`) {
      const some = of.systems.filter((one) => one.v && (!one.random || state.r === "1" || one.k === state[side]));
      select.replaceChildren(html("option", { value: "" }, "none"), ...some.map((one) => html("option", { value: one.k }, named(one))));
      select.dataset.group = `${of.key}${state.r}`;
    }
    select.value = state[side];
  }
  const parts = [], say = (text) => parts.push(html("p", {}, text));
  if (!a || !b) say("Shift-click two lines, press p on them, or choose them here.");
  else {
    const apart = difference(a, b), limit = of.critical?.[state.m]?.all ?? critical();
    const inView = [a, b].every((one) => one.o || linesOf().some((line) => line.chosen === one)) ? critical() ?? limit : limit;
    say(`A ${figure(value(a))}, B ${figure(value(b))}.`);
    if (!apart) say(`Difference of ${title} ${figure(value(a) - value(b))}; no interval of it is kept here.`);
    else {
      const alone = apart.low === null ? [apart.value - NORMAL * apart.error, apart.value + NORMAL * apart.error] : [apart.low, apart.high];
      const together = [apart.value - inView * apart.error, apart.value + inView * apart.error];
      const told = together[0] > 0 || together[1] < 0;
      parts.push(html("p", {}, `Difference of ${title}, A − B: `, html("strong", {}, figure(apart.value)), ` [${alone.map(figure).join(", ")}] alone, [${together.map(figure).join(", ")}] with all pairs shown.`));
      say(told ? "Told apart with all pairs shown." : "Not told apart, which is no proof that they are equal.");
      say(`A true difference of ${figure(POWER * apart.error)} would have been seen with a probability of 80 %, as a single comparison.`);
    }
    const declared = (of.declared ?? []).find((one) => state.m === "auc" && ((one.a === a.k && one.b === b.k) || (one.a === b.k && one.b === a.k)));
    if (declared) say(`Declared before the run: ${declared.question} p ${declared.p} by Holm among ${declared.of}.`);
    if (a.t && b.t) say(`Time: A ${seconds(a.t)}, B ${seconds(b.t)}, a ratio of ${Number((a.t / b.t).toPrecision(2))}.${DATA.hosts ? ` ${DATA.hosts}` : ""}`);
    if (a.roc && b.roc) parts.push(drawCurves(a, b));
    if (a.wrong && b.wrong) parts.push(...wrongTable(a, b, of));
  }
  by("pair").replaceChildren(...parts);
}

function drawCurves(a, b) {
  const side = 200, line = (system, name) => {
    const bytes = Uint8Array.from(atob(system.roc), (letter) => letter.charCodeAt(0));
    let path = "";
    for (let at = 0; at < bytes.length; at += 2) path += `${at ? "L" : "M"}${((bytes[at] / 255) * side).toFixed(1)} ${(side - (bytes[at + 1] / 255) * side).toFixed(1)}`;
    return svg("path", { d: path, class: `curve ${name}` });
  };
  const picture = svg("svg", { viewBox: `-26 -6 ${side + 34} ${side + 34}`, width: side + 34, height: side + 34, role: "img", "aria-label": `ROC curves of A, ${named(a)}, and B, ${named(b)}` },
    svg("path", { class: "grid", d: `M0 0V${side}H${side}M0 ${side}L${side} 0` }), line(a, "a"), line(b, "b"),
    svg("text", { class: "soft", x: side / 2, y: side + 20, "text-anchor": "middle" }, "1 − specificity"),
    svg("text", { class: "soft", x: -side / 2, y: -10, transform: "rotate(-90)", "text-anchor": "middle" }, "sensitivity"));
  return html("figure", { class: "roc" }, picture, html("figcaption", {}, "A solid, B dashed."));
}

function wrongTable(a, b, of) {
  const [inA, inB] = [wrong(a), wrong(b)], cells = [[[], []], [[], []]];
  of.crops.forEach((crop, at) => cells[inA(at)][inB(at)].push(crop));
  const words = ["right", "wrong"];
  const table = html("table", { class: "small" }, html("caption", {}, `${capital(DATA.words.units)} that are wrong, of ${of.crops.length}; over repeats: in most of them`),
    html("thead", {}, html("tr", {}, html("td"), ...words.map((word) => html("th", { scope: "col" }, `B ${word}`)))),
    html("tbody", {}, ...words.map((word, i) => html("tr", {}, html("th", { scope: "row" }, `A ${word}`), ...cells[i].map((some) => html("td", { class: "number" }, String(some.length)))))));
  const list = (title, some) => html("details", {}, html("summary", {}, `${title}: ${some.length}`), html("p", { class: "ids" }, ...some.slice(0, 200).flatMap((crop) => {
    const picture = document.querySelector(`[data-crop="${CSS.escape(crop)}"]`);
    return [picture ? html("a", { href: `#${picture.id}` }, crop) : crop, " "];
  })));
  return [table, list("Wrong in A alone", cells[1][0]), list("Wrong in B alone", cells[0][1])];
}

/* ---- All systems ---- */

let table = null;

function cell(system, at) {
  const [mean, low, high] = system.v?.[at] ?? [null];
  const td = html("td", { class: at ? "number wide" : "number interval" });
  if (mean === null || mean === undefined) { td.append(system.v ? "–" : ""); return td; }
  td.append(figure(mean));
  td.title = low === null ? "" : `${figure(low)} to ${figure(high)}`;
  if (at === 0 && low !== null) {
    const bar = html("span", { class: "cell" });
    for (const [name, number] of [["l", low], ["h", high], ["v", mean]]) bar.style.setProperty(`--${name}`, `${(100 * number).toFixed(1)}%`);
    td.append(bar);
  }
  return td;
}

function madeRow(system) {
  const several = DATA.groups.length > 1;
  const name = html("th", { scope: "row" }, system.e, html("small", {}, [system.c, several ? system.group.title : ""].filter(Boolean).join(" · ")));
  if (system.random) name.append(html("span", { class: "tag random" }, "random"));
  if (system.s || system.n) name.append(html("small", {}, system.s ? `did not run: ${system.s}` : system.n));
  return html("tr", { class: system.s ? "off" : null }, name, ...MEASURES.map((_, at) => cell(system, at)), html("td", { class: "number" }, system.v ? (system.t ? seconds(system.t) : "–") : ""));
}

function build() {
  table = every.map((system) => ({ system, tr: null }));
  filter();
}

// Rows are made when they are first shown.
function filter() {
  if (!table) return;
  const words = tests(state.q);
  const shown = table.filter(({ system }) => {
    const here = state.all || system.group.key === state.g, kept = state.u || !system.group.audit;
    return here && kept && (system.o || inFamilies(system)) && words.every((test) => test(system));
  });
  by("count").textContent = `${shown.length.toLocaleString("en")} of ${counted(table.length, "row")}`;
  const [name, way] = [state.s.replace("-", ""), state.s.startsWith("-") ? -1 : 1];
  for (const heading of by("systems").tHead.rows[0].cells) {
    heading.setAttribute("aria-sort", heading.dataset.sort === name && name ? (way < 0 ? "descending" : "ascending") : "none");
  }
  const at = MEASURES.findIndex(([one]) => one === name);
  // What has no value comes last in both directions.
  if (name === "system") shown.sort((a, b) => way * named(a.system).localeCompare(named(b.system), "en", { numeric: true }));
  else if (name) {
    const own = (one) => (name === "time" ? one.system.t : value(one.system, at)) ?? null;
    shown.sort((a, b) => (own(a) === null) - (own(b) === null) || way * (own(a) - own(b)));
  }
  by("systems").tBodies[0].replaceChildren(...shown.map((one) => (one.tr ??= madeRow(one.system))));
}

/* ---- Subgroups of one system ---- */

function drawSubgroups() {
  const of = group(), part = by("subgroups-part"), known = of.subgroups;
  part.hidden = !known;
  if (!known) return;
  const select = by("subgroups-of");
  if (select.dataset.group !== of.key) {
    select.replaceChildren(...Object.keys(known.of).map((key) => find(key)).filter((one) => one && (!one.random || !known.real)).map((one) => html("option", { value: one.k }, named(one))));
    select.dataset.group = of.key;
  }
  if (known.of[state.a]) select.value = state.a;
  const system = find(select.value), values = known.of[select.value];
  if (!values) return;
  const found = [], empty = [];
  let last = "";
  known.rows.forEach(([variable, name, n], at) => {
    const [mean, low, high] = values[at] ?? [null];
    if (mean === null || mean === undefined) { empty.push(`${variable} ${name} (${n})`); return; }
    if (variable !== last) found.push({ heading: true, label: (last = variable) });
    found.push({ id: `sub-${at}`, key: String(at), label: `${name} (${n})`, value: mean, low, high, shape: family(system).shape, colour: family(system).colour, filled: false, said: `${variable} ${name}, ${counted(n, DATA.words.unit, DATA.words.units)}: AUC ${figure(mean)}, ${figure(low)} to ${figure(high)}` });
  });
  drawForest(by("subgroups"), found, [{ label: "all", value: value(system, 0) }], [], { width: Math.round(by("subgroups-frame").clientWidth), axis: "AUC", limits: [0, 1], hatched: of.audit });
  by("subgroups-empty").textContent = empty.length ? `Too few ${DATA.words.units} of a class for an AUC: ${empty.join(", ")}.` : "";
  asTable("subgroups-table", ["Group", "AUC", "Low", "High"], () => found.filter((one) => !one.heading).map((one) => [one.label, figure(one.value), figure(one.low), figure(one.high)]));
}

/* ---- Controls ---- */

function controls() {
  const of = group();
  by("g").replaceChildren(...DATA.groups.filter((one) => state.u || !one.audit).map((one) => html("option", { value: one.key }, one.title)));
  if (by("rule").dataset.group !== of.key) {
    by("rule").replaceChildren(html("option", { value: "declared" }, `${DATA.declared} (declared)`), ...of.rules.map((one) => html("option", { value: one }, one)));
    by("rule").dataset.group = of.key;
    if (state.rule !== "declared" && !of.rules.includes(state.rule)) state.rule = "declared";
    const sizes = new Map();
    for (const one of of.systems) if (!one.o && one.d) sizes.set(one.f, (sizes.get(one.f) ?? 0) + 1);
    by("families").replaceChildren(...[...sizes].sort((x, y) => x[0] - y[0]).map(([at, n]) => {
      const { key, name } = DATA.families[at];
      return html("label", {}, html("input", { type: "checkbox", "data-family": key }), ` ${name} (${n})`);
    }));
  }
  for (const name of ["g", "m", "rule", "o", "q"]) if (by(name).value !== state[name]) by(name).value = state[name];
  by("q2").value = state.q;
  by("all-groups").checked = Boolean(state.all);
  if (by("audits")) by("audits").checked = Boolean(state.u);
  const hidden = state.f ? state.f.split(",") : [];
  for (const box of by("families").querySelectorAll("input")) {
    box.checked = box.dataset.family === "random" ? state.r === "1" : !hidden.includes(box.dataset.family);
  }
}

function draw() {
  controls();
  drawFirst();
  drawPair();
  filter();
  drawSubgroups();
}

// A table that waits in the data, made when its part is opened; a heading sorts it.
function fill(part) {
  const { columns, rows: all } = DATA.tables[part.dataset.table], frame = part.querySelector(".scroll");
  if (frame.childElementCount) return;
  const text = (one) => (Array.isArray(one) ? one[0] : one);
  const made = all.map((cells) => {
    const tr = html("tr", {}, ...cells.map((one, at) => {
      const made = html(at ? "td" : "th", at ? { class: columns[at][1] ? "number" : text(one).length > 30 ? "long" : null } : { scope: "row" }, text(one));
      if (one[2] && Array.isArray(one)) made.append(html("small", {}, one[2]));
      return made;
    }));
    return { cells, tr };
  });
  const head = html("tr", {}, ...columns.map(([title], at) => {
    const button = html("button", { type: "button" }, title);
    const heading = html("th", { scope: "col", "aria-sort": "none" }, button);
    button.addEventListener("click", () => {
      const way = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of head.cells) other.setAttribute("aria-sort", "none");
      heading.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      const own = ({ cells }) => (Array.isArray(cells[at]) && cells[at][1] ? cells[at][1] : text(cells[at]));
      const order = (x, y) => (x === "") - (y === "") || way * (Number(x) - Number(y) || x.localeCompare(y, "en", { numeric: true }));
      made.sort((x, y) => order(own(x), own(y)));
      body.append(...made.map((one) => one.tr));
    });
    return heading;
  }));
  const body = html("tbody", {}, ...made.map((one) => one.tr));
  frame.append(html("table", {}, html("caption", {}, part.dataset.title), html("thead", {}, head), body));
  const field = part.querySelector("input");
  field?.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { tr } of made) tr.hidden = !words.every((word) => tr.textContent.toLowerCase().includes(word));
    part.querySelector(".shown").textContent = `${made.filter((one) => !one.tr.hidden).length} of ${counted(made.length, "row")}`;
  });
}

function reach(id) {
  const target = by(id);
  if (!target) return;
  if (id === "all") table ?? build();
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  target.scrollIntoView();
}

document.addEventListener("toggle", (event) => {
  const part = event.target;
  if (part.open && part.dataset.table) fill(part);
  const waiting = part.open && part.querySelector(":scope > template");
  if (waiting) waiting.replaceWith(waiting.content);
  for (const one of part.querySelectorAll("img[data-picture]")) one.src = DATA.pictures[one.dataset.picture];
}, true);

function start() {
  for (const name of ["g", "m", "rule", "o"]) by(name).addEventListener("change", (event) => set({ [name]: event.target.value }));
  for (const name of ["q", "q2"]) by(name).addEventListener("input", (event) => set({ q: event.target.value.trim() ? event.target.value : "" }));
  for (const side of ["a", "b"]) by(`pair-${side}`).addEventListener("change", (event) => set({ [side]: event.target.value }));
  by("subgroups-of")?.addEventListener("change", drawSubgroups);
  by("families").addEventListener("change", (event) => {
    const key = event.target.dataset.family;
    if (key === "random") set({ r: event.target.checked ? "1" : "" });
    else set({ f: [...by("families").querySelectorAll("input:not(:checked)")].map((box) => box.dataset.family).filter((one) => one !== "random").join(",") });
  });
  by("audits")?.addEventListener("change", (event) => set({ u: event.target.checked ? "1" : "" }));
  by("all-groups").addEventListener("change", (event) => set({ all: event.target.checked ? "1" : "" }));
  by("clear").addEventListener("click", () => set({ q: "", f: "", r: "1", all: "1", u: DATA.groups.some((one) => one.audit) ? "1" : "" }));
  by("systems").tHead.addEventListener("click", (event) => {
    const name = event.target.closest("th")?.dataset.sort;
    if (!name) return;
    const first = name === "system" || name === "time" ? name : `-${name}`;
    set({ s: state.s === first ? (first.startsWith("-") ? name : `-${name}`) : first });
  });
  const act = (key, pressed) => {
    if (pressed === "p") take(key);
    else if (pressed === "Enter" || pressed === " ") {
      const { e } = find(key) ?? {};
      if (open.has(e)) open.delete(e); else open.add(e);
      drawFirst();
    } else return false;
    forestAt(key);
    return true;
  };
  const linked = (key) => {
    for (const one of document.querySelectorAll("#forest .row, #costs .row")) one.classList.toggle("linked", one.dataset.key === key);
    by("hover").textContent = find(key) ? [named(find(key)), seconds(find(key).t)].join(" · ") : "";
  };
  const forestAt = navigable(by("forest"), act, linked);
  navigable(by("costs"), act, linked);
  for (const name of ["forest", "costs"]) by(name).addEventListener("pointerover", (event) => linked(event.target.closest("[role=option]")?.dataset.key));
  navigable(by("subgroups"), () => false, () => {});
  const at = read();
  if (window.innerWidth < 640) by("controls").open = false;
  draw();
  new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) table ?? build(); }, { rootMargin: "300px" }).observe(by("all"));
  let width = window.innerWidth;
  window.addEventListener("resize", () => { if (width !== window.innerWidth) { width = window.innerWidth; drawFirst(); drawSubgroups(); } });
  window.addEventListener("hashchange", () => {
    const id = decodeURIComponent(location.hash.slice(1));
    if (id.includes("=")) { read(); draw(); } else if (id) { reach(id); write(id); }
  });
  const plain = location.hash.slice(1);
  if (at || (plain && !plain.includes("="))) reach(at ?? decodeURIComponent(plain));
  const spy = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) document.querySelector(`.rail a[href$="#${target.id}"]`)?.classList.toggle("here", isIntersecting);
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const part of document.querySelectorAll("main > section")) spy.observe(part);
}

if (group()) start();
