"use strict";
(() => {
  // Filters: text, kind of problem, one choice per label.
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
  filterOn(filter, [byId("kind"), ...labels]);
})();
