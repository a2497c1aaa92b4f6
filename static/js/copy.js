// Copy buttons: hidden until here, because without a script the value is simply selected by hand.

const said = document.createElement("div");
said.className = "aloud";
said.setAttribute("role", "status");
document.body.append(said);

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const word = button.querySelector("[data-word]");
  await copy(button.dataset.copy);
  button.dataset.before ??= word.textContent;
  word.textContent = button.dataset.copied;
  said.textContent = button.dataset.copied;
  clearTimeout(button.timer);
  button.timer = setTimeout(() => {
    word.textContent = button.dataset.before;
    said.textContent = "";
  }, 2000);
});

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages served over plain http to another host have no clipboard; the old way still works there.
    const box = document.createElement("textarea");
    box.value = text;
    box.className = "aloud";
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
}
