"use strict";
(() => {
  const choice = document.querySelector(".facets"), table = document.querySelector(".matrix");
  if (!choice || !table) return;
  const form = choice.querySelector("form");
  choice.hidden = false;
  // On a phone the choices would stand above everything else.
  choice.open = window.innerWidth > 640;
  const selects = [...form.querySelectorAll("select")];
  const heads = [...table.querySelectorAll("thead th[data-column]")];
  const fits = (element, chosen) =>
    Object.entries(chosen).every(([name, value]) => !(name in element.dataset) || element.dataset[name] === value);
  const apply = () => {
    const chosen = {};
    for (const one of selects) if (one.value) chosen[one.name] = one.value;
    const kept = heads.map((head) => fits(head, chosen));
    heads.forEach((head, i) => head.classList.toggle("away", !kept[i]));
    for (const over of table.querySelectorAll("thead th[data-over]")) {
      const left = over.dataset.over.split(" ").filter((i) => kept[Number(i)]).length;
      over.classList.toggle("away", !left);
      over.colSpan = Math.max(left, 1);
    }
    let rows = 0;
    for (const body of table.tBodies) {
      let shown = 0;
      for (const row of body.querySelectorAll("tr[data-row]")) {
        const fit = fits(row, chosen);
        row.classList.toggle("away", !fit);
        shown += fit;
        row.querySelectorAll("td").forEach((cell, i) => {
          cell.classList.toggle("away", !kept[i]);
          cell.classList.toggle("dimmed", !fits(cell, chosen));
        });
      }
      body.classList.toggle("away", !shown);
      rows += shown;
    }
    for (const panel of document.querySelectorAll("[data-panel]"))
      panel.classList.toggle("away", !kept[Number(panel.dataset.panel)] || !fits(panel, chosen));
    form.querySelector("output").textContent = `${rows} rows, ${kept.filter(Boolean).length} settings`;
    history.replaceState(null, "", "#" + new URLSearchParams(chosen));
  };
  const read = () => {
    const wanted = new URLSearchParams(location.hash.slice(1));
    for (const one of selects) {
      const value = wanted.get(one.name) ?? "";
      one.value = [...one.options].some((option) => option.value === value) ? value : "";
    }
    apply();
  };
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  window.addEventListener("hashchange", read);
  if (location.hash.length > 1) read();
})();
