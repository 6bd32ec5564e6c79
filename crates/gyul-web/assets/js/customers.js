// Customers: arrows walk the list that was found; a customer's page follows what they enter and leave.
(() => {
  "use strict";
  document.addEventListener("keydown", (e) => {
    const list = document.querySelector("[data-list]");
    if (!list || !["ArrowDown", "ArrowUp"].includes(e.key)) return;
    const field = document.getElementById("q");
    const rows = [...list.querySelectorAll("[data-row]")];
    const at = rows.indexOf(document.activeElement);
    if (!rows.length || (at < 0 && document.activeElement !== field)) return;
    e.preventDefault();
    const to = at + (e.key === "ArrowDown" ? 1 : -1);
    (to < 0 ? field : rows[Math.min(to, rows.length - 1)]).focus();
  });
  // Enter in the field opens the only one that was found.
  document.getElementById("search")?.addEventListener("submit", (e) => {
    const rows = document.querySelectorAll("#found [data-row]");
    const typed = document.getElementById("q").value.trim();
    if (rows.length === 1 && typed) {
      e.preventDefault();
      location.assign(rows[0].href);
    }
  });

  const dot = document.querySelector("[data-live]");
  if (!dot || !window.EventSource) return;
  const stream = new EventSource(`/v1/changes?customer=${encodeURIComponent(dot.dataset.live)}`);
  let waiting;
  stream.addEventListener("open", () => {
    dot.hidden = false;
    dot.classList.remove("lost");
  });
  stream.addEventListener("error", () => dot.classList.add("lost"));
  stream.addEventListener("change", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const box = document.getElementById("memberships");
      // Whoever is reading why is not interrupted.
      if (!box.querySelector("details[open]")) window.htmx.trigger(box, "refresh");
    }, 300);
  });
  addEventListener("pagehide", () => stream.close());
})();
