// Type-ahead: a search-and-choose field that works by sending the form becomes a combobox (ARIA 1.2).

const LEAST = 2; // characters before asking
const PAUSE = 150; // milliseconds after the last key

for (const box of document.querySelectorAll("[data-typeahead]")) improve(box);

function improve(box) {
  const input = box.querySelector(".typeahead__input");
  const list = document.createElement("ul");
  const said = document.createElement("div");
  let value = box.querySelector("[data-typeahead-value]");
  let found = [];
  let at = -1;
  let timer = 0;
  let asked = null;

  list.id = `${input.id}-list`;
  list.className = "typeahead__list";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", box.dataset.label);
  said.className = "aloud";
  said.setAttribute("role", "status");
  input.after(list, said);
  for (const [name, text] of [
    ["role", "combobox"],
    ["aria-autocomplete", "list"],
    ["aria-expanded", "false"],
    ["aria-controls", list.id],
    ["autocomplete", "off"],
  ]) {
    input.setAttribute(name, text);
  }

  input.addEventListener("input", () => {
    choose("");
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });

  input.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) ask();
      else if (found.length) point((at + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length);
    } else if (event.key === "Enter" && !list.hidden && at >= 0) {
      event.preventDefault();
      pick(found[at]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });

  input.addEventListener("blur", close);
  // The press must not take the focus away before the click arrives.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) pick(found[[...list.children].indexOf(option)]);
  });

  async function ask() {
    const text = input.value.trim();
    asked?.abort();
    if (text.length < LEAST) return close();
    asked = new AbortController();
    const address = new URL(box.dataset.typeahead, location.href);
    address.searchParams.set("q", text);
    try {
      const answer = await fetch(address, { signal: asked.signal, headers: { Accept: "application/json" } });
      if (answer.ok) show(await answer.json());
    } catch {
      // Newer typing, or no network: the field still works by sending the form.
    }
  }

  function show(answer) {
    found = answer;
    at = -1;
    list.replaceChildren(...found.map(option));
    list.hidden = !found.length || document.activeElement !== input;
    input.setAttribute("aria-expanded", String(!list.hidden));
    input.removeAttribute("aria-activedescendant");
    said.textContent = found.length ? box.dataset.found.replace("{count}", found.length) : box.dataset.none;
  }

  function option(one, index) {
    const item = document.createElement("li");
    const label = document.createElement("span");
    item.id = `${list.id}-${index}`;
    item.className = "typeahead__option";
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    label.textContent = one.label;
    item.append(label);
    if (one.hint) {
      const hint = document.createElement("span");
      hint.className = "typeahead__hint";
      hint.textContent = one.hint;
      item.append(hint);
    }
    return item;
  }

  function point(index) {
    list.children[at]?.setAttribute("aria-selected", "false");
    at = index;
    list.children[at].setAttribute("aria-selected", "true");
    list.children[at].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", list.children[at].id);
  }

  function pick(one) {
    input.value = one.label;
    choose(one.id);
    close();
    box.dispatchEvent(new CustomEvent("chosen", { bubbles: true, detail: one }));
  }

  // The choices that the server drew give way to one hidden field.
  function choose(id) {
    if (!value) {
      box.querySelector(".typeahead__choices")?.remove();
      value = document.createElement("input");
      value.type = "hidden";
      value.name = box.dataset.name;
      box.append(value);
    }
    value.value = id;
  }

  function close() {
    clearTimeout(timer);
    asked?.abort();
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }
}
