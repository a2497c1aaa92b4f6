// Menus are <details>: they open without a script; here they also close on Esc and on a click elsewhere.

const open = () => document.querySelectorAll("details.menu[open]");

document.addEventListener("click", (event) => {
  for (const menu of open()) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// Panels and drawers are popovers: the browser closes them, except when the focus walks out of them.
document.addEventListener("focusin", (event) => {
  for (const menu of open()) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  for (const panel of document.querySelectorAll("[popover]:popover-open")) {
    const isOpener = event.target.getAttribute("popovertarget") === panel.id;
    if (!isOpener && !panel.contains(event.target)) panel.hidePopover();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of open()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// In a strip of tabs that is wider than a phone, the current one is in view.
for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
  const strip = tab.closest(".tabs");
  strip.scrollLeft = tab.offsetLeft - strip.offsetLeft - (strip.clientWidth - tab.offsetWidth) / 2;
}
