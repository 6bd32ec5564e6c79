// Data: a file goes up with its progress; a mapping comes down as a file.
(() => {
  "use strict";
  const { tell, csrf } = window.gyul;
  const drop = document.getElementById("drop");

  function send(file) {
    if (!file) return;
    if (file.size === 0) {
      tell(drop.dataset.empty, "bad");
      return;
    }
    const bar = document.getElementById("sending-bar");
    const share = document.getElementById("sending-share");
    const field = document.getElementById("file");
    const over = () => {
      document.getElementById("sending").hidden = true;
      field.disabled = false;
      field.value = "";
    };
    document.getElementById("sending-name").textContent = file.name;
    document.getElementById("sending").hidden = false;
    field.disabled = true;
    // Only this can tell how far an upload is.
    const call = new XMLHttpRequest();
    call.open("POST", `/api/v1/drafts?name=${encodeURIComponent(file.name)}`);
    call.setRequestHeader("x-csrf-token", csrf);
    call.setRequestHeader("content-type", "application/octet-stream");
    call.upload.addEventListener("progress", (e) => {
      if (!e.lengthComputable) return;
      bar.value = Math.floor((e.loaded / e.total) * 100);
      share.textContent = `${bar.value}%`;
    });
    call.addEventListener("load", () => {
      let said = {};
      try { said = JSON.parse(call.responseText); } catch { /* not ours */ }
      if (call.status === 201) location.assign(`/data/import/${said.id}`);
      else {
        tell(said.detail ?? drop.dataset.wrong, "bad");
        over();
      }
    });
    call.addEventListener("error", () => {
      tell(drop.dataset.wrong, "bad");
      over();
    });
    call.addEventListener("abort", over);
    document.getElementById("sending-stop").onclick = () => call.abort();
    call.send(file);
  }

  if (drop) {
    document.getElementById("file").addEventListener("change", (e) => send(e.target.files[0]));
    for (const name of ["dragenter", "dragover"]) {
      drop.addEventListener(name, (e) => {
        e.preventDefault();
        drop.classList.add("over");
      });
    }
    for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
    drop.addEventListener("drop", (e) => {
      e.preventDefault();
      send(e.dataTransfer.files[0]);
    });
    drop.addEventListener("submit", (e) => e.preventDefault());
  }

  // A changed text is not tried with each change: it has a button of its own.
  document.addEventListener("change", (e) => {
    if (e.target.matches("[data-quiet]")) e.stopPropagation();
  }, true);
  document.addEventListener("click", (e) => {
    const button = e.target.closest("[data-download]");
    if (!button) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([document.getElementById(button.dataset.download).value], { type: "application/yaml" }));
    link.download = button.dataset.as;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  // Where the reader was choosing, they go on.
  let focus;
  document.addEventListener("htmx:beforeSwap", (e) => {
    if (e.detail.target.id === "draft") focus = document.activeElement?.getAttribute("name");
  });
  document.addEventListener("htmx:afterSwap", (e) => {
    if (e.detail.target.id === "draft" && focus) document.querySelector(`#draft [name="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
  });
})();
