// Lists with boxes: one box for all rows, and the bar says how many are chosen.

for (const all of document.querySelectorAll("[data-select-all]")) {
  const table = all.closest("table");
  const boxes = [...table.querySelectorAll("tbody [data-select]")];
  all.closest("label, span").hidden = !boxes.length;

  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    tell();
  });
  table.addEventListener("change", (event) => {
    if (event.target !== all) tell();
  });
  addEventListener("pageshow", tell);

  function tell() {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    const told = boxes[0]?.form?.querySelector("[data-selected]");
    if (told) told.textContent = chosen ? told.dataset.selected.replace("{count}", chosen) : "";
  }
}

// Filters that say so are applied as soon as one is chosen.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-apply]")) event.target.form.requestSubmit();
});
