// The desk by keyboard. What a key opens stands on the page: data-go (after g) and data-key on links
// and buttons, data-list on the table whose rows j and k walk.

if (document.body.dataset.keys === "on") listen();

const search = document.querySelector("[data-search]");
document.addEventListener("keydown", (event) => {
  if (search && event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    search.select();
  }
});

function listen() {
  const SEQUENCE = 1200; // milliseconds between g and the letter after it
  let went = -SEQUENCE;

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const key = event.key;
    const isSecond = event.timeStamp - went < SEQUENCE;
    went = key === "g" && !isSecond ? event.timeStamp : -SEQUENCE;
    if (went > 0) return;
    if (isSecond ? press(`[data-go="${CSS.escape(key)}"]`) : single(key)) event.preventDefault();
  });
}

function isTyping(element) {
  return element.closest("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable], [role=listbox]");
}

function single(key) {
  if (key === "/" && search) {
    search.select();
    return true;
  }
  if (key === "?") return togglePanel();
  if (key === "j" || key === "k") return walk(key === "j" ? 1 : -1);
  if (key === "x") return tick();
  return key.length === 1 && press(`[data-key="${CSS.escape(key)}"]`);
}

function press(selector) {
  const target = document.querySelector(selector);
  target?.click();
  return Boolean(target);
}

function togglePanel() {
  const panel = document.getElementById("keys");
  panel?.togglePopover();
  return Boolean(panel);
}

function rows() {
  return [...document.querySelectorAll("[data-list] tbody tr")];
}

// The row the keys stand on has the focus on its link, so that Enter opens it.
function walk(step) {
  const all = rows();
  if (!all.length) return false;
  const here = all.findIndex((row) => row.classList.contains("is-here"));
  const next = here < 0 ? 0 : Math.min(Math.max(here + step, 0), all.length - 1);
  all[here]?.classList.remove("is-here");
  all[next].classList.add("is-here");
  all[next].querySelector("th a, a")?.focus({ preventScroll: true });
  all[next].scrollIntoView({ block: "nearest" });
  return true;
}

function tick() {
  const box = document.querySelector("[data-list] tr.is-here [data-select]");
  box?.click();
  return Boolean(box);
}
