/* Worklist, proposal form and inbox: choosing many, filling in, opening a proposal in place, keys j k x a r Enter. */
(function () {
  "use strict";
  function all(root, selector) { return Array.prototype.slice.call(root.querySelectorAll(selector)); }
  function typing(target) { return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && target.type !== "checkbox"; }
  function boxes(form) { return Array.prototype.filter.call(form.elements, function (box) { return box.matches(".rules-line > input[type=checkbox]"); }); }

  function count(form) {
    var chosen = boxes(form).filter(function (box) { return box.checked; });
    var lines = 0;
    chosen.forEach(function (box) { lines += Number(box.dataset.lines || 0); });
    var button = form.querySelector("[data-rules-act]"), words = form.querySelector("[data-rules-count]"), every = form.querySelector("[data-rules-all]");
    if (button) { button.disabled = !chosen.length; }
    if (words && chosen.length) { words.textContent = chosen.length + " chosen, " + lines.toLocaleString("en") + (lines === 1 ? " line" : " lines"); }
    else if (words) { words.textContent = ""; }
    if (every) { every.checked = chosen.length > 0 && chosen.length === boxes(form).length; every.indeterminate = chosen.length > 0 && !every.checked; }
  }

  function items() { return all(document, "[data-rules-item]"); }
  function current() { return document.querySelector("[data-rules-item].is-current"); }
  function select(item) {
    items().forEach(function (other) { other.classList.toggle("is-current", other === item); });
    item.focus({ preventScroll: true });
    item.scrollIntoView({ block: "nearest" });
  }
  function step(by) {
    var list = items(), place = list.indexOf(current());
    var next = list[Math.min(list.length - 1, Math.max(0, place < 0 ? 0 : place + by))];
    if (next) { select(next); if (next.hasAttribute("data-rules-proposal")) { open(next); } }
  }

  /* The exact effect of one proposal, shown below it; the same page without script is a page of its own. */
  function open(item, then) {
    var box = item.querySelector("[data-rules-detail]"), link = item.querySelector("[data-rules-open]");
    if (!box || !link) { return; }
    all(document, "[data-rules-detail]").forEach(function (other) { if (other !== box) { other.hidden = true; } });
    box.hidden = false;
    if (box.dataset.state) { if (then && box.dataset.state === "shown") { then(box); } return; }
    box.dataset.state = "loading";
    box.textContent = "Computing the effect …";
    fetch(link.href + "&part=1", { credentials: "same-origin" }).then(function (answer) {
      if (!answer.ok || answer.redirected) { throw new Error(String(answer.status)); }
      return answer.text();
    }).then(function (text) {
      box.innerHTML = text;
      box.dataset.state = "shown";
      if (then) { then(box); }
    }).catch(function () { box.dataset.state = ""; window.location.href = link.href; });
  }

  function decide(item, action) {
    if (!item || !item.hasAttribute("data-rules-proposal")) { return; }
    open(item, function (box) {
      var form = box.querySelector("[data-rules-decide]"), button = form && form.querySelector("[name=action][value=" + action + "]");
      if (!button || button.disabled) { return; }
      if (action === "return") {
        var reason = form.querySelector("[name=reason]");
        if (reason && !reason.value.trim()) { reason.focus(); return; }
      }
      form.requestSubmit(button);
    });
  }

  document.addEventListener("change", function (event) {
    var form = event.target.form;
    if (!form) { return; }
    if (event.target.matches("[data-rules-all]")) { boxes(form).forEach(function (box) { box.checked = event.target.checked; }); }
    if (form.querySelector("[data-rules-act]")) { count(form); }
    if (event.target.matches("[data-rules-reach]")) {
      var own = event.target.closest(".rules-item").querySelector("[data-rules-own]");
      own.hidden = event.target.value !== "own";
    }
  });
  document.addEventListener("click", function (event) {
    var fill = event.target.closest("[data-rules-fill]"), link = event.target.closest("[data-rules-open]");
    if (fill) {
      var value = document.querySelector("[data-rules-same]").value;
      all(document, "[data-rules-category]").forEach(function (input) {
        var box = input.closest(".rules-item").querySelector("input[type=checkbox][name^=use-]");
        if (!box || box.checked) { input.value = value; }
      });
    }
    if (link && link.closest("[data-rules-proposal]") && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      var item = link.closest("[data-rules-item]"), box = item.querySelector("[data-rules-detail]");
      if (!box.hidden && box.dataset.state === "shown") { box.hidden = true; return; }
      select(item);
      open(item);
    }
  });
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || !items().length) { return; }
    var item = current();
    if (event.key === "j") { step(1); }
    else if (event.key === "k") { step(-1); }
    else if (event.key === "a") { decide(item, "approve"); }
    else if (event.key === "r") { decide(item, "return"); }
    else if (event.key === "x" && item) {
      var box = item.querySelector(".rules-line > input[type=checkbox]");
      if (box) { box.click(); }
    } else if (event.key === "Enter" && item && event.target === item) {
      var link = item.querySelector("[data-rules-open]");
      if (link) { link.click(); }
    } else { return; }
    event.preventDefault();
  });
  document.addEventListener("DOMContentLoaded", function () {
    all(document, "form").forEach(function (form) { if (form.querySelector("[data-rules-act]")) { count(form); } });
    var effect = document.getElementById("effect");
    if (effect) { effect.scrollIntoView({ block: "nearest" }); }
  });
})();
