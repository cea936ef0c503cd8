// The live answer while you type, starters, repairs, and the time zone of this browser.
// Without this file every one of them works with a button or a list.
"use strict";
(() => {
  const field = document.getElementById("q");
  const form = field.form;
  let timer = 0;
  let newest = 0;

  async function show() {
    const mine = ++newest;
    const address = new URL(form.dataset.answer, location.href);
    address.searchParams.set("q", field.value);
    const late = setTimeout(() => document.getElementById("answer").classList.add("old"), 400);
    try {
      const answer = await fetch(address);
      if (mine !== newest || !answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (mine !== newest) return;
      // The live region itself stays, so that one change is one announcement.
      const old = document.getElementById("answer");
      const fresh = page.getElementById("answer");
      if ("late" in fresh.dataset) setTimeout(show, 2000);
      old.className = fresh.className;
      old.replaceChildren(...fresh.childNodes);
      for (const id of ["mistakes", "sample"]) document.getElementById(id).replaceWith(page.getElementById(id));
      if (document.getElementById("mistakes").children.length) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
      document.getElementById("starters").hidden = field.value.trim() !== "";
    } catch {
      // Offline or interrupted: the old answer stays, the next key asks again.
    } finally {
      clearTimeout(late);
    }
  }

  // Right after a start the papers are still being read.
  if ("late" in document.getElementById("answer").dataset) setTimeout(show, 2000);

  function ask() { clearTimeout(timer); show(); }
  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(show, 250); });

  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name]");
    if (!button) return;
    if (button.name === "add") {
      event.preventDefault();
      field.value = [field.value.trim(), button.value].filter(Boolean).join("\n");
    } else if (button.name.startsWith("repair-")) {
      event.preventDefault();
      const [, line, text] = /^(\d+):([^]*)$/.exec(button.value);
      const lines = field.value.split("\n");
      lines[line - 1] = text;
      field.value = lines.join("\n");
    } else return;
    field.focus();
    ask();
  });

  const zone = document.getElementById("zone");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || ![...zone.options].some((option) => option.value === here)) return;
  zone.value = here;
  const city = here.split("/").pop().replaceAll("_", " ");
  document.getElementById("zone-words").textContent = here === "UTC" ? "UTC." : `${city} time.`;
  document.getElementById("zone-said").hidden = false;
  zone.hidden = true;
  document.getElementById("zone-change").addEventListener("click", () => {
    document.getElementById("zone-said").hidden = true;
    zone.hidden = false;
    zone.focus();
  });
})();
