// The live answer under each interest while you type. Without this file a button brings them all.
"use strict";
(() => {
  const form = document.getElementById("settings");
  const newest = new Map();
  const timers = new Map();

  async function show(field) {
    const number = field.dataset.field;
    const mine = (newest.get(number) || 0) + 1;
    newest.set(number, mine);
    const box = document.getElementById(`answer-${number}`);
    const address = new URL(form.dataset.answer, location.href);
    address.searchParams.set("q", field.value);
    address.searchParams.set("field", number);
    address.searchParams.set("limit", form.elements[`limit-${number}`].value);
    for (const name of ["synonyms", "muted_words", "muted_authors"]) {
      const typed = document.getElementById(name).value;
      if (typed) address.searchParams.set(name, typed);
    }
    const late = setTimeout(() => box.classList.add("old"), 400);
    try {
      const answer = await fetch(address);
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (mine !== newest.get(number)) return;
      const fresh = page.getElementById(box.id);
      box.className = fresh.className;
      box.replaceChildren(...fresh.childNodes);
      box.hidden = false;
      const mistakes = page.getElementById(`mistakes-${number}`);
      document.getElementById(mistakes.id).replaceWith(mistakes);
      if (mistakes.children.length) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    } catch {
      // Offline or interrupted: the old answer stays, the next key asks again.
    } finally {
      clearTimeout(late);
    }
  }

  function soon(field) {
    clearTimeout(timers.get(field));
    timers.set(field, setTimeout(show, 250, field));
  }

  form.addEventListener("input", (event) => {
    const fields = [...form.querySelectorAll("textarea[data-field]")];
    if (fields.includes(event.target)) soon(event.target);
    else if (event.target.name?.startsWith("limit-")) fields.filter((field) => `limit-${field.dataset.field}` === event.target.name && newest.has(field.dataset.field)).forEach(soon);
    // What is muted, and other names, change every answer that is there.
    else if (event.target.localName === "textarea") fields.filter((field) => newest.has(field.dataset.field)).forEach(soon);
  });

  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name^=repair-]");
    if (!button) return;
    event.preventDefault();
    const field = document.getElementById(button.name.replace("repair", "text"));
    const [, line, text] = /^(\d+):([^]*)$/.exec(button.value);
    const lines = field.value.split("\n");
    lines[line - 1] = text;
    field.value = lines.join("\n");
    field.focus();
    show(field);
  });
})();
