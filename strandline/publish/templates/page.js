(() => {
  "use strict";
  const minute = 60000;
  const ago = (ms) => {
    const n = Math.max(0, Math.floor(ms / minute));
    if (n < 1) return "just now";
    if (n < 100) return n + " min ago";
    return n < 2880 ? Math.floor(n / 60) + " h ago" : Math.floor(n / 1440) + " days ago";
  };
  const age = () => document.querySelectorAll("[data-age]").forEach((el) => {
    const passed = Date.now() - Date.parse(el.dataset.age);
    el.textContent = ago(passed);
    el.classList.toggle("stale", passed > Number(el.dataset.stale) * minute);
  });
  age();
  setInterval(age, minute);
  const options = {
    renderer: "svg", actions: false, ast: true, mode: "vega-lite", defaultStyle: false,
    loader: { load: () => Promise.reject(new Error("this page loads nothing")) },
  };
  const tip = (names) => (point) => {
    const table = document.createElement("table");
    for (const [field, name] of Object.entries(names)) {
      if (point[field] === undefined) continue;
      const row = table.insertRow();
      const label = row.insertCell();
      label.className = "key";
      label.textContent = name;
      row.insertCell().textContent = point[field];
    }
    return table.outerHTML;
  };
  document.querySelectorAll("[data-chart]").forEach((el) => {
    const spec = JSON.parse(document.getElementById(el.dataset.chart).textContent);
    const tooltip = { theme: "strandline", disableDefaultStyle: true, formatTooltip: tip(spec.usermeta) };
    window.vegaEmbed(el, spec, { ...options, tooltip }).then(() => el.setAttribute("data-drawn", "")).catch((error) => {
      el.textContent = "This chart could not be drawn; its data stand below.";
      console.error(error);
    });
  });
})();
