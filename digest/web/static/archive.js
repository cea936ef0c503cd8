// Keys for the archive. Everything they do is a link on the page, so without this file nothing is
// lost; and they can be switched off (WCAG 2.1.4), which this browser remembers.
"use strict";
(() => {
  const titles = [...document.querySelectorAll(".listing h2 a, .listing h3 a")];
  const told = document.getElementById("keys");
  const links = {"[": "earlier", "]": "later", p: "previous", n: "next"};
  const at = (name) => document.querySelector(`a[data-key=${name}]`);

  function isOff() {
    try { return localStorage.getItem("keys") === "off"; } catch { return false; }
  }

  function tell() {
    told.hidden = false;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain";
    button.textContent = isOff() ? "Turn keys on" : "Turn keys off";
    button.addEventListener("click", () => {
      try { localStorage.setItem("keys", isOff() ? "on" : "off"); } catch { return; }
      tell();
      told.querySelector("button").focus();
    });
    const words = [];
    if (!isOff()) {
      if (titles.length) words.push(["j", ""], ["k", " next and previous paper, "]);
      if (at("earlier")) words.push(["[", at("later") ? "" : " earlier, "]);
      if (at("later")) words.push(["]", at("earlier") ? " earlier and later, " : " later, "]);
      if (at("previous")) words.push(["p", at("next") ? "" : " previous page, "]);
      if (at("next")) words.push(["n", at("previous") ? " previous and next page, " : " next page, "]);
      words.push(["/", " search. "]);
    }
    const shown = words.flatMap(([key, after]) => {
      const cap = document.createElement("kbd");
      cap.textContent = key;
      return [cap, after || " "];
    });
    told.replaceChildren(...shown, button);
  }

  function step(by) {
    const now = titles.indexOf(document.activeElement);
    const next = now < 0 ? (by > 0 ? 0 : -1) : now + by;
    const title = titles[next];
    if (!title) return;
    title.focus();
    title.closest("li").scrollIntoView({block: "nearest"});
    history.replaceState({title: next}, "");  // whoever comes back goes on from here
  }

  titles[history.state?.title]?.focus();

  document.addEventListener("keydown", (event) => {
    if (isOff() || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "/") {
      const field = document.getElementById("q");
      if (field) field.focus();
      else location.assign(document.querySelector("a[href$='/search']").href);
    } else if (links[event.key] && at(links[event.key])) at(links[event.key]).click();
    else return;
    event.preventDefault();
  });
  tell();
})();
