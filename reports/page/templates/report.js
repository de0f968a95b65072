"use strict";
// Sorts by a heading's button, filters and searches; without it the page is complete.

// Made once: making one for every comparison takes most of the time of a sort.
const collator = new Intl.Collator("en", { numeric: true });

function value(row, column) {
  const cell = row.cells[column];
  return cell.dataset.sort ?? cell.textContent.trim();
}

// Empty cells come last in both directions; figures compare as figures, the rest as text.
function compare(left, right, direction) {
  if (left === "" || right === "") return (left === "") - (right === "");
  const a = Number(left), b = Number(right);
  const order = Number.isNaN(a) || Number.isNaN(b) ? collator.compare(left, right) : a - b;
  return direction * order;
}

function sort(table, heading) {
  const column = heading.cellIndex;
  const first = heading.classList.contains("number") ? "descending" : "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const next = heading.getAttribute("aria-sort") === first ? other : first;
  for (const each of table.tHead.rows[0].cells) each.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", next);
  // Rows of one extractor no longer stand together, so the lines between extractors go.
  table.classList.add("sorted");
  const direction = next === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
  rows.sort((a, b) => compare(a[0], b[0], direction));
  table.tBodies[0].append(...rows.map((pair) => pair[1]));
}

const texts = new WeakMap();

function text(row) {
  if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
  return texts.get(row);
}

// A word is sought in the whole row; column:word in columns whose heading starts so. A name may
// hold a colon itself: what is no heading stays part of the word.
function tests(typed, headings) {
  return typed.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const [name, ...rest] = word.split(":");
    const columns = name && rest.length
      ? headings.flatMap((heading, place) => (heading.startsWith(name) ? [place] : []))
      : [];
    if (columns.length === 0) return (row) => text(row).includes(word);
    const wanted = rest.join(":");
    return (row) =>
      columns.some((place) => row.cells[place].textContent.toLowerCase().includes(wanted));
  });
}

const everywhere = document.getElementById("search");
const fields = new Map();

// Shows the rows that the table's own filter and the search over all tables let through.
function refresh(table) {
  const headings = [...table.tHead.rows[0].cells].map((cell) =>
    cell.textContent.trim().toLowerCase());
  const own = fields.get(table);
  const all = [...tests(own ? own.value : "", headings), ...tests(everywhere.value, headings)];
  const rows = table.tBodies[0].rows;
  let shown = 0;
  for (const row of rows) {
    const hidden = !all.every((test) => test(row));
    if (row.hidden !== hidden) row.hidden = hidden;
    shown += !hidden;
  }
  if (own) {
    own.closest(".tools").querySelector(".shown").textContent =
      all.length ? `${shown} of ${rows.length} rows` : "";
  }
  return shown;
}

// Filters every table, and lists those with rows left as links.
function search() {
  const typed = everywhere.value.trim() !== "";
  const links = [];
  let rows = 0;
  for (const table of tables) {
    const shown = refresh(table);
    if (!typed || shown === 0) continue;
    rows += shown;
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = `#${table.id}`;
    link.textContent = `${table.parentElement.getAttribute("aria-label")} (${shown})`;
    item.append(link);
    links.push(item);
  }
  const hits = document.getElementById("hits");
  hits.replaceChildren(...links);
  hits.hidden = links.length === 0;
  document.getElementById("found").textContent =
    typed ? `${rows} rows in ${links.length} tables` : "";
}

// What a link leads to may lie in a part that is folded.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  let folded = false;
  for (let part = target; part; part = part.parentElement) {
    if (part.tagName === "DETAILS" && !part.open) folded = part.open = true;
  }
  if (folded) target.scrollIntoView();
}

const tables = [...document.querySelectorAll("table.sortable")];
// One listener for all headings: there are hundreds of them.
document.addEventListener("click", (event) => {
  const heading = event.target.closest("table.sortable thead th");
  if (heading) sort(heading.closest("table"), heading);
});
for (const field of document.querySelectorAll("input[data-table]")) {
  const table = document.getElementById(field.dataset.table);
  fields.set(table, field);
  field.addEventListener("input", () => refresh(table));
}
everywhere.addEventListener("input", search);
window.addEventListener("hashchange", unfold);
unfold();
