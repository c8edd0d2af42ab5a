/* The P&L page: folding rows, the chart, its picture. Figures themselves come from the server. */
(function () {
  "use strict";

  // Rows --------------------------------------------------------------------------------------------------------------
  var table = document.getElementById("pnl-table");

  function rowOf(id) { return table.querySelector('tr[data-row="' + id + '"]'); }
  function isOpen(row) {
    var button = row.querySelector(".pnl-fold");
    return !button || button.getAttribute("aria-expanded") === "true";
  }
  function refresh() {
    table.querySelectorAll("tr[data-row]").forEach(function (row) {
      var parent = row.dataset.parent !== undefined ? rowOf(row.dataset.parent) : null;
      row.hidden = Boolean(parent && (parent.hidden || !isOpen(parent)));
    });
  }
  if (table) {
    table.addEventListener("click", function (event) {
      var button = event.target.closest(".pnl-fold");
      if (!button) { return; }
      button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
      refresh();
    });
    var box = table.closest(".pnl-scroll"); // the latest periods and the sum stand last: they are what is looked for
    if (box && table.dataset.latest === "last") { box.scrollLeft = box.scrollWidth; }
    document.querySelectorAll("[data-fold]").forEach(function (control) {
      control.addEventListener("click", function () {
        table.querySelectorAll(".pnl-fold").forEach(function (button) {
          button.setAttribute("aria-expanded", String(control.dataset.fold === "open"));
        });
        refresh();
      });
    });
  }

  // The form ----------------------------------------------------------------------------------------------------------
  var ask = document.querySelector(".pnl-ask");
  if (ask && window.innerWidth < 760) { ask.open = false; }
  var form = document.getElementById("pnl-form");
  if (form) {
    form.addEventListener("submit", function () { // empty words make no part of the address
      form.querySelectorAll("select, input").forEach(function (field) {
        if (field.value === "" || (field.name === "in" && field.selectedOptions && /\(books\)/.test(field.selectedOptions[0].text)) ||
            (field.name === "scope" && field.value === "unified")) { field.disabled = true; }
      });
    });
    window.addEventListener("pageshow", function () {
      form.querySelectorAll(":disabled").forEach(function (field) { field.disabled = false; });
    });
  }

  // The chart ---------------------------------------------------------------------------------------------------------
  var source = document.getElementById("pnl-chart-data");
  var canvas = document.getElementById("pnl-chart");
  if (!source || !canvas || typeof Chart === "undefined") { return; }
  var data = JSON.parse(source.textContent);
  var colours = { // one colour per line of the P&L, on light and on dark
    gross_sales: ["#0f766e", "#2dd4bf"], discounts: ["#c2410c", "#fdba74"], refunds: ["#be123c", "#fb7185"],
    cost_of_goods: ["#57534e", "#a8a29e"], platform: ["#1d4ed8", "#60a5fa"], fulfilment: ["#7e22ce", "#c084fc"],
    ads: ["#a16207", "#facc15"], creators: ["#be185d", "#f472b6"], other: ["#4d7c0f", "#a3e635"],
    overheads: ["#334155", "#94a3b8"], finance: ["#0e7490", "#67e8f9"]
  };
  var chart = null;
  function isDark() { return document.documentElement.classList.contains("dark"); }
  function draw() {
    var dark = isDark() ? 1 : 0;
    var ink = dark ? "#d4d4d8" : "#3f3f46", grid = dark ? "#3f3f46" : "#e4e4e7";
    var digits = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
    var short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
    if (chart) { chart.destroy(); }
    chart = new Chart(canvas, {
      data: {
        labels: data.labels,
        datasets: [{
          type: "line", label: data.line.label, data: data.line.values, borderColor: ink, backgroundColor: ink, borderWidth: 2,
          pointRadius: 3, tension: 0, order: 0
        }].concat(data.bars.map(function (bar) {
          return { type: "bar", label: bar.label, data: bar.values, stack: "money", order: 1, maxBarThickness: 56,
                   backgroundColor: (colours[bar.section] || ["#71717a", "#a1a1aa"])[dark] };
        }))
      },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
        scales: {
          x: { stacked: true, grid: { display: false }, ticks: { color: ink } },
          y: { stacked: true, beginAtZero: true, grid: { color: grid }, title: { display: true, text: data.currency, color: ink },
               ticks: { color: ink, callback: function (value) { return short.format(value); } } }
        },
        plugins: {
          legend: { position: "bottom", labels: { color: ink, boxWidth: 12, boxHeight: 12 } },
          tooltip: { callbacks: { label: function (item) {
            return item.dataset.label + ": " + digits.format(item.parsed.y) + " " + data.currency; } } }
        }
      },
      plugins: [{ id: "paper", beforeDraw: function (shown) { // pictures have a ground of their own
        shown.ctx.save(); shown.ctx.fillStyle = getComputedStyle(canvas.closest(".nv-card")).backgroundColor;
        shown.ctx.fillRect(0, 0, shown.width, shown.height); shown.ctx.restore(); } }]
    });
    canvas.dataset.drawn = dark ? "dark" : "light";
  }
  draw();
  new MutationObserver(function () {
    if (canvas.dataset.drawn !== (isDark() ? "dark" : "light")) { draw(); }
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  var download = document.querySelector("[data-chart-download]");
  if (download) {
    download.addEventListener("click", function () {
      var link = document.createElement("a");
      link.download = "pnl.png";
      link.href = canvas.toDataURL("image/png");
      link.click();
    });
  }
})();
