"use strict";
// The theme and the helpers of every page with a script.
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
const nameButton = () => { byId("theme").textContent = dark() ? "Light theme" : "Dark theme"; };
const chosen = remember.get();
if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
nameButton();
byId("theme").addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  remember.set(root.dataset.theme);
  nameButton();
});

// Call a filter shortly after the last key was pressed in the search field, and at each choice.
const filterOn = (filter, fields) => {
  let waiting = 0;
  byId("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  fields.forEach((field) => field.addEventListener("change", filter));
  every("form.filter").forEach((form) => form.addEventListener("submit", (event) => event.preventDefault()));
  filter();
};
