/* Keyboard of all pages: "/" opens the search, Ctrl+S (or Cmd+S) sends the form of the page. */
(function () {
  "use strict";
  function typing(target) {
    return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  }
  document.addEventListener("keydown", function (event) {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target)) {
      event.preventDefault();
      var own = document.getElementById("searchbar");  // a list's own search comes first
      if (own) { own.focus(); } else { window.dispatchEvent(new CustomEvent("opencommand")); }
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      var form = document.querySelector("form[data-save], #content-main form[method=post], .nv-page form[method=post]");
      if (form) {
        event.preventDefault();
        form.requestSubmit(form.querySelector("[name=_save], [type=submit].is-primary, [type=submit]") || undefined);
      }
    }
  });
  document.addEventListener("DOMContentLoaded", function () {
    var box = document.querySelector("#nav-sidebar-inner [x-on\\:click=\"$dispatch('opencommand')\"] .grow");
    if (box) { box.textContent = "Search"; }
  });
})();
