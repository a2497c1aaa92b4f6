// Forms: Ctrl+Enter sends, a second press does not, and going back finds the form alive.

const WAIT = 10000; // milliseconds after which a button that led nowhere may be pressed again

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.closest?.("form");
  if (!form) return;
  event.preventDefault();
  form.requestSubmit(form.querySelector("button[type=submit]:not([formaction])"));
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method === "get") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  // Only told, not disabled: a disabled button would lose the focus and its own name and value.
  event.submitter?.setAttribute("aria-disabled", "true");
  setTimeout(() => revive(form), WAIT);
});

// A page that comes back from the back/forward cache is as it was left.
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(revive));

function revive(form) {
  delete form.dataset.sent;
  for (const button of document.querySelectorAll("[aria-disabled=true]")) {
    if (button.form === form) button.removeAttribute("aria-disabled");
  }
}
