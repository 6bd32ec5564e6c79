// The condition of a class as cards, above its text: whichever is edited, the other follows.
(() => {
  "use strict";
  const builder = window.gyulBuilder;
  const words = JSON.parse(document.getElementById("partition-words")?.textContent ?? "{}");
  if (!builder) return;

  document.querySelectorAll("textarea[data-thresholds]").forEach((area, n) => {
    const fieldset = area.closest("fieldset");
    const host = document.createElement("div");
    Object.assign(host, { className: "class-cards", id: `class-cards-${n}`, hidden: true });
    const toggle = document.createElement("button");
    Object.assign(toggle, { type: "button", className: "small", textContent: words.cards });
    toggle.setAttribute("aria-expanded", "false");
    toggle.setAttribute("aria-controls", host.id);
    const name = fieldset.querySelector("legend").textContent.trim();
    toggle.setAttribute("aria-label", `${words.cards}: ${name}`);
    area.closest("details").before(toggle, host);

    let editor;
    let known = area.value;
    let wait;

    function follow(state, by) {
      if (by !== "form" || state.text === area.value) return;
      known = state.text;
      area.value = state.text;
      // For the count, and for the sliders.
      area.dispatchEvent(new Event("input", { bubbles: true }));
      area.dispatchEvent(new CustomEvent("gyul:rewritten"));
    }

    toggle.addEventListener("click", async () => {
      host.hidden = !host.hidden;
      toggle.setAttribute("aria-expanded", String(!host.hidden));
      if (host.hidden || editor) return;
      try {
        editor = await builder.editor({ cards: host, start: { text: area.value }, changed: follow });
        known = area.value;
        editor.focus();
      } catch (e) {
        const say = document.createElement("p");
        Object.assign(say, { className: "notice bad", textContent: e.message });
        host.replaceChildren(say);
      }
    });
    // Fields of the cards have no name: what they say reaches the form by the text. Enter in one of them saves nothing.
    for (const kind of ["input", "change"]) host.addEventListener(kind, (e) => e.stopPropagation());
    host.addEventListener("keydown", (e) => { if (e.key === "Enter" && e.target.matches("input")) e.preventDefault(); });
    area.addEventListener("input", () => {
      if (!editor || area.value === known) return;
      known = area.value;
      clearTimeout(wait);
      wait = setTimeout(() => editor.set({ text: area.value }), 350);
    });
  });
})();
