"use strict";
(() => {
  // Copy with the clipboard interface where there is one, else with a selection.
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* not allowed: use a selection */ }
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
      button.textContent = done ? "Copied" : "Select the text and press Ctrl-C";
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
  byId("unfold").addEventListener("click", () => {
    const open = exchanges.some((element) => !element.hidden && !element.open);
    exchanges.forEach((element) => { if (!element.hidden) element.open = open; });
    byId("unfold").textContent = open ? "Close all" : "Open all";
  });
  filterOn(filter, [byId("kind"), byId("check")]);

  // A link opens what it leads to and what that is in, also an exchange that the filter had hidden.
  const reveal = () => {
    const element = location.hash.length > 1 ? byId(location.hash.slice(1)) : null;
    if (!element) return;
    element.hidden = false;
    for (let each = element; each; each = each.parentElement) if (each.matches("details")) each.open = true;
    element.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // On paper everything but the single exchanges is open.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = every("details:not(.exchange):not(.events):not([open])");
    closed.forEach((element) => { element.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((element) => { element.open = false; }));
})();
