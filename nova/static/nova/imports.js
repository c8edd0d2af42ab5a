/* Upload with drag and drop and progress; the result page follows the reading and reads itself where no worker does. */
(function () {
  "use strict";

  function words(seconds) {
    if (seconds < 90) { return Math.max(1, Math.round(seconds)) + " s"; }
    return seconds < 5400 ? Math.round(seconds / 60) + " min" : Math.round(seconds / 3600) + " h";
  }

  function uploadForm(form) {
    var input = form.querySelector("#id_files"), drop = form.querySelector("#drop"), list = form.querySelector("#chosen-files");
    var problem = form.querySelector("#upload-problem"), box = form.querySelector("#upload-progress");
    var most = Number(form.dataset.maxFiles), button = form.querySelector("button[type=submit]");

    function show() {
      list.replaceChildren.apply(list, Array.from(input.files).slice(0, 20).map(function (file) {
        var row = document.createElement("li");
        row.textContent = file.name + " (" + Math.max(1, Math.round(file.size / 1024)).toLocaleString("en") + " kB)";
        return row;
      }));
      if (input.files.length > 20) {
        var more = document.createElement("li");
        more.textContent = "and " + (input.files.length - 20) + " more";
        list.append(more);
      }
      problem.textContent = input.files.length > most ? "Choose up to " + most + " files at once, or zip them." : "";
      button.textContent = input.files.length > 1 ? "Upload and read " + input.files.length + " files" : "Upload and read";
    }
    input.addEventListener("change", show);
    ["dragenter", "dragover"].forEach(function (name) {
      drop.addEventListener(name, function (event) { event.preventDefault(); drop.classList.add("is-over"); });
    });
    ["dragleave", "drop"].forEach(function (name) {
      drop.addEventListener(name, function (event) { event.preventDefault(); drop.classList.remove("is-over"); });
    });
    drop.addEventListener("drop", function (event) {
      if (event.dataTransfer && event.dataTransfer.files.length) { input.files = event.dataTransfer.files; show(); }
    });
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      if (input.files.length > most) { show(); return; }
      var request = new XMLHttpRequest(), bar = box.querySelector(".nv-bar"), started = Date.now();
      box.hidden = false;
      button.disabled = true;
      problem.textContent = "";
      function fail(text) { problem.textContent = text; box.hidden = true; button.disabled = false; }
      request.upload.addEventListener("progress", function (step) {
        if (!step.lengthComputable) { return; }
        var share = step.loaded / step.total, left = (Date.now() - started) / 1000 / share * (1 - share);
        bar.firstElementChild.style.width = Math.round(share * 100) + "%";
        bar.setAttribute("aria-valuenow", Math.round(share * 100));
        box.querySelector("#upload-words").textContent = share < 1
          ? "Sending, " + Math.round(share * 100) + " %, " + words(left) + " left."
          : "Sent. Nova keeps the files and begins to read.";
      });
      request.addEventListener("load", function () {
        var answer = {};
        try { answer = JSON.parse(request.responseText); } catch (error) { /* an error page, not JSON */ }
        if (answer.address) { window.location.assign(answer.address); return; }
        fail(answer.problem || (request.status === 403 ? "You are signed out, or your role does not cover this. Reload the page." : "The upload failed (" + request.status + "). Nothing of it was taken that is not listed below."));
      });
      request.addEventListener("error", function () { fail("The connection broke. Try again: what arrived already changes nothing."); });
      request.open("POST", form.action || window.location.href);
      request.setRequestHeader("Accept", "application/json");
      request.send(new FormData(form));
    });
  }

  function resultPage(box) {
    if (box.dataset.finished) { return; }
    var token = box.querySelector("[name=csrfmiddlewaretoken]").value, reading = false;
    var bar = document.getElementById("progress-bar"), stalled = document.getElementById("stalled");

    function readHere() {
      if (reading || !box.dataset.mayRead) { return; }
      reading = true;
      fetch(box.dataset.read, { method: "POST", headers: { "X-CSRFToken": token, Accept: "application/json" } })
        .finally(function () { reading = false; look(0); });
    }
    function refreshCard(key) {
      var old = document.getElementById("file-" + key);
      if (old && old.contains(document.activeElement)) { return; }
      fetch(box.dataset.card + key).then(function (answer) { return answer.ok ? answer.text() : ""; }).then(function (html) {
        if (html && old) { old.outerHTML = html; }
      });
    }
    function show(status) {
      bar.hidden = status.finished;
      bar.querySelector(".nv-bar > span").style.width = status.percent + "%";
      bar.querySelector(".nv-bar").setAttribute("aria-valuenow", status.percent);
      document.getElementById("progress-words").textContent = status.done + " of " + status.files + " files done"
        + (status.seconds_left ? ", about " + words(status.seconds_left) + " left" : "")
        + ". You can leave this page and come back; it is listed under Imports.";
      stalled.hidden = !status.stalled;
      document.getElementById("summary").replaceChildren.apply(document.getElementById("summary"), status.summary.map(function (part) {
        var badge = document.createElement("span");
        badge.className = "nv-badge " + part.css;
        badge.textContent = part.count + " " + part.words.toLowerCase();
        return badge;
      }));
      Object.keys(status.versions).forEach(function (key) {
        var card = document.getElementById("file-" + key);
        if (card && card.dataset.version !== status.versions[key]) { refreshCard(key); }
      });
    }
    function look(delay) {
      window.setTimeout(function () {
        fetch(box.dataset.status, { headers: { Accept: "application/json" } })
          .then(function (answer) { return answer.ok ? answer.json() : Promise.reject(answer.status); })
          .then(function (status) {
            show(status);
            if (status.stalled) { readHere(); return; }
            if (!status.finished) { look(1000); }
          })
          .catch(function () { look(5000); });
      }, delay);
    }
    look(600);
  }

  document.addEventListener("DOMContentLoaded", function () {
    var form = document.getElementById("upload-form"), box = document.getElementById("progress");
    if (form) { uploadForm(form); }
    if (box) { resultPage(box); }
  });
})();
