// Renders the mail again as you type. Without this file the form does the same with its button.
"use strict";
(() => {
  const field = document.getElementById("q");
  const form = field.form;
  let timer = 0;
  let newest = 0;

  async function show() {
    const mine = ++newest;
    const address = new URL(form.getAttribute("action"), location.href);
    for (const [name, value] of new FormData(form)) if (value) address.searchParams.set(name, value);
    if (!address.searchParams.has("q")) address.searchParams.set("q", "");
    const late = setTimeout(() => document.getElementById("mail").classList.add("late"), 400);
    try {
      const answer = await fetch(address);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (mine !== newest || !answer.ok) return;
      for (const id of ["mail", "why", "mistakes"]) document.getElementById(id).replaceWith(page.getElementById(id));
      document.getElementById("said").textContent = page.getElementById("said").textContent;
      if (page.getElementById("q").hasAttribute("aria-invalid")) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
      for (const link of document.querySelectorAll(".readers a")) link.removeAttribute("aria-current");
      history.replaceState(null, "", address);
    } catch {
      // The server is gone or busy: the old mail stays, the next key asks again.
    } finally {
      clearTimeout(late);
      document.getElementById("mail").classList.remove("late");
    }
  }

  // A template that was saved is looked at at once.
  const stamp = document.getElementById("stamp");
  async function watch() {
    try {
      const answer = await fetch(new URL("stamp", new URL(form.getAttribute("action"), location.href)));
      const now = await answer.text();
      if (answer.ok && now !== stamp.dataset.stamp) return location.reload();
    } catch {
      // The server is gone; it may come back.
    }
    setTimeout(watch, 1000);
  }
  if (stamp) setTimeout(watch, 1000);

  const soon = () => { clearTimeout(timer); timer = setTimeout(show, 250); };
  field.addEventListener("input", soon);
  form.addEventListener("change", soon);
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button && button.name) return;
    event.preventDefault();
    clearTimeout(timer);
    show().then(() => {
      // On a phone the mail stands below the list of readers; a mistake is looked at first.
      if (field.hasAttribute("aria-invalid")) return;
      const mail = document.getElementById("mail");
      if (mail.getBoundingClientRect().top > innerHeight / 2) mail.scrollIntoView();
    });
  });
})();
