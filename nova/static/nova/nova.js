/* Keyboard of all pages: "/" opens the search, Ctrl+S (or Cmd+S) sends the form of the page. */
(function () {
  "use strict";
  function typing(target) {
    return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  }
  document.addEventListener("keydown", function (event) {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target)) {
      event.preventDefault();
      window.dispatchEvent(new CustomEvent("opencommand"));
      document.body.dispatchEvent(new CustomEvent("opencommand", { bubbles: true }));
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      var form = document.querySelector("form[data-save], #content-main form[method=post], .nv-page form[method=post]");
      if (form) {
        event.preventDefault();
        form.requestSubmit(form.querySelector("[name=_save], [type=submit].is-primary, [type=submit]") || undefined);
      }
    }
  });
})();
