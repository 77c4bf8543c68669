"use strict";
(() => {
  const every = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const byId = (id) => document.getElementById(id);
  every(".scripted").forEach((element) => { element.hidden = false; });

  // Theme: the system's until the reader chooses; kept where the browser allows it.
  const root = document.documentElement;
  const remember = {
    get() { try { return localStorage.getItem("endpoint-probe-theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("endpoint-probe-theme", value); } catch { /* not allowed here */ } },
  };
  const dark = () => root.dataset.theme === "dark" ||
    (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const name = () => { byId("theme").textContent = dark() ? "Light theme" : "Dark theme"; };
  const chosen = remember.get();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  name();
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    remember.set(root.dataset.theme);
    name();
  });

  // Copy: the clipboard interface where there is one, else a selection.
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* next way */ }
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "offscreen";
    document.body.append(field);
    field.select();
    let done = false;
    try { done = document.execCommand("copy"); } catch { done = false; }
    field.remove();
    return done;
  };
  every("button.copy").forEach((button) => {
    const label = button.textContent;
    button.addEventListener("click", async () => {
      const done = await copy(byId(button.dataset.copy).textContent);
      button.textContent = done ? "Copied" : "Select it and press Ctrl-C";
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  });

  // Filter and search; the text of an exchange is read once, when it is first searched.
  const exchanges = every("details.exchange");
  const texts = new Map();
  const textOf = (element) => {
    if (!texts.has(element)) texts.set(element, element.textContent.toLowerCase());
    return texts.get(element);
  };
  const filter = () => {
    const wanted = byId("search").value.trim().toLowerCase();
    const kind = byId("kind").value;
    const check = byId("check").value;
    let shown = 0;
    exchanges.forEach((element) => {
      const fits = (!kind || element.dataset.kinds.split(" ").includes(kind)) &&
        (!check || element.dataset.check === check) &&
        (!wanted || textOf(element).includes(wanted));
      element.hidden = !fits;
      if (fits) shown += 1;
    });
    byId("shown").textContent = `${shown} of ${exchanges.length} exchanges`;
  };
  let waiting = 0;
  byId("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  byId("kind").addEventListener("change", filter);
  byId("check").addEventListener("change", filter);
  every("form.filter").forEach((form) => form.addEventListener("submit", (event) => event.preventDefault()));
  byId("unfold").addEventListener("click", () => {
    const open = exchanges.some((element) => !element.hidden && !element.open);
    exchanges.forEach((element) => { if (!element.hidden) element.open = open; });
    byId("unfold").textContent = open ? "Close all" : "Open all";
  });
  filter();

  // A link to an exchange opens it, also one that the filter had hidden.
  const reveal = () => {
    const element = location.hash.length > 1 ? byId(location.hash.slice(1)) : null;
    if (element && element.matches("details.exchange")) {
      element.hidden = false;
      element.open = true;
      element.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
