// A field with data-preview shows what its value means while it is typed: the address answers ?colour= with markup.

for (const field of document.querySelectorAll("[data-preview]")) {
  const shown = document.getElementById(field.dataset.previewIn);
  let timer = 0;
  let asked = 0;

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, 200);
  });

  async function show() {
    const turn = ++asked;
    const answer = await fetch(`${field.dataset.preview}?colour=${encodeURIComponent(field.value)}`);
    if (answer.ok && !answer.redirected && turn === asked) shown.innerHTML = await answer.text();
  }
}
