"use strict";
// Sorts by a heading's button and filters by a search field; without it the page is complete.

function value(row, column) {
  const cell = row.cells[column];
  return cell.dataset.sort ?? cell.textContent.trim();
}

// Empty cells come last in both directions; figures compare as figures, the rest as text.
function compare(left, right, direction) {
  if (left === "" || right === "") return (left === "") - (right === "");
  const a = Number(left), b = Number(right);
  const order = Number.isNaN(a) || Number.isNaN(b)
    ? left.localeCompare(right, "en", { numeric: true })
    : a - b;
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
  const body = table.tBodies[0];
  const rows = [...body.rows];
  rows.sort((a, b) => compare(value(a, column), value(b, column), direction));
  body.append(...rows);
}

function filter(field) {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...document.getElementById(field.dataset.table).tBodies[0].rows];
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
  const shown = rows.filter((row) => !row.hidden).length;
  field.closest(".tools").querySelector(".shown").textContent =
    words.length ? `${shown} of ${rows.length} rows` : "";
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    heading.querySelector("button").addEventListener("click", () => sort(table, heading));
  }
}
for (const field of document.querySelectorAll("input[data-table]")) {
  field.addEventListener("input", () => filter(field));
}
