"use strict";
(() => {
  const form = document.querySelector(".facets");
  const table = document.querySelector(".matrix");
  if (!form || !table) return;
  form.hidden = false;
  const selects = [...form.querySelectorAll("select")];
  const heads = [...table.querySelectorAll("thead th[data-column]")];
  const fits = (element, chosen) =>
    Object.entries(chosen).every(([name, value]) => !(name in element.dataset) || element.dataset[name] === value);
  const apply = () => {
    const chosen = {};
    for (const one of selects) if (one.value) chosen[one.name] = one.value;
    const kept = heads.map((head) => fits(head, chosen));
    heads.forEach((head, i) => head.classList.toggle("away", !kept[i]));
    let rows = 0;
    for (const row of table.querySelectorAll("tbody tr[data-row]")) {
      const shown = fits(row, chosen);
      row.classList.toggle("away", !shown);
      rows += shown;
      row.querySelectorAll("td").forEach((cell, i) => {
        cell.classList.toggle("away", !kept[i]);
        cell.classList.toggle("dimmed", !fits(cell, chosen));
      });
    }
    for (const panel of document.querySelectorAll("[data-panel]"))
      panel.classList.toggle("away", !kept[Number(panel.dataset.panel)] || !fits(panel, chosen));
    form.querySelector("output").textContent = `${rows} rows, ${kept.filter(Boolean).length} settings`;
    history.replaceState(null, "", "#" + new URLSearchParams(chosen));
  };
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    const one = selects.find((select) => select.name === name);
    if (one && [...one.options].some((option) => option.value === value)) one.value = value;
  }
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  if (location.hash.length > 1) apply();
})();
