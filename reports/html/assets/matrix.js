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

  // Filters: text, what is wrong, one choice a label.
  const rows = every("table.matrix tbody tr").map((element) => ({
    element,
    text: element.dataset.search.toLowerCase(),
    kinds: element.dataset.kinds.split(" "),
    labels: JSON.parse(element.dataset.labels),
  }));
  const labels = every("select[data-label]");
  const filter = () => {
    const wanted = byId("search").value.trim().toLowerCase();
    const kind = byId("kind").value;
    const picked = labels.filter((field) => field.value).map((field) => [field.dataset.label, field.value]);
    let shown = 0;
    rows.forEach((row) => {
      const fits = (!wanted || row.text.includes(wanted)) && (!kind || row.kinds.includes(kind)) &&
        picked.every(([label, value]) => row.labels[label] === value);
      row.element.hidden = !fits;
      if (fits) shown += 1;
    });
    byId("shown").textContent = `${shown} of ${rows.length} rows`;
  };
  let waiting = 0;
  byId("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  [byId("kind"), ...labels].forEach((field) => field.addEventListener("change", filter));
  every("form.filter").forEach((form) => form.addEventListener("submit", (event) => event.preventDefault()));
  filter();
})();
