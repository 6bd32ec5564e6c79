// Numbers in a condition as fields and sliders: a threshold is moved without typing, and the count follows.
(() => {
  "use strict";
  const words = JSON.parse(document.getElementById("partition-words")?.textContent ?? "{}");
  // What is written in quotes and names with digits in them are no thresholds.
  const token = /'[^']*'|"[^"]*"|#.*|\d{4}-\d\d-\d\d[\dT:.+Z-]*|[\p{L}_][\p{L}\p{N}_.]*|(\d+(?:\.\d+)?)(\s?)(min|mo|[smhdwy%])?(?![\p{L}\p{N}_])/gu;

  function thresholds(text) {
    const out = [];
    for (const m of text.matchAll(token)) {
      if (m[1] === undefined) continue;
      const before = text.slice(0, m.index).split(/\band\b|\bor\b/).pop().trim();
      out.push({ at: m.index, length: m[1].length, value: Number(m[1]), unit: m[3] ?? "", before });
    }
    return out.slice(0, 12);
  }

  /** A scale on which the value stands in the first half. */
  function scale(value, unit) {
    if (unit === "%") return { max: 100, step: 1 };
    if (unit === "mo") return { max: Math.max(24, value * 2), step: 1 };
    if (value === 0) return { max: 10, step: 1 };
    const size = 10 ** Math.floor(Math.log10(value));
    const step = Number.isInteger(value) ? Math.max(1, size >= 1000 ? size / 10 : 1) : size / 10;
    return { max: Math.ceil((value * 2.5) / size) * size, step };
  }

  /** What the server says of the conditions: their sentences, and the words around each number. */
  const said = () => JSON.parse(document.getElementById("conditions")?.dataset.conditions ?? "[]");

  /** The words around a number; where there are none, as it is written. */
  function around(area, t, all) {
    const found = all.find((c) => c.when === area.value)?.blanks.find((b) => b.at === t.at);
    return found ? { before: found.before.trim(), after: found.after.trim(), words: true } : { before: `${t.before} …${t.unit}`.trim(), after: "", words: false };
  }

  /** Words follow the numbers; fields stay, so that a slider that is held is not taken away. */
  function say(area, all) {
    const fieldset = area.closest("fieldset");
    const one = all.find((c) => c.when === area.value);
    const sentence = fieldset.querySelector("[data-says]");
    if (one?.says && sentence) sentence.textContent = one.says;
    const found = thresholds(area.value);
    fieldset.querySelectorAll(".thresholds label").forEach((label, i) => {
      if (!found[i]) return;
      const { before, after, words: known } = around(area, found[i], all);
      // While an answer is under way the words of the last one stand.
      if (!known && label.dataset.words) return;
      label.dataset.words = known ? "1" : "";
      const [start, end] = label.querySelectorAll(".around");
      [start.textContent, end.textContent] = [before, after];
      const name = `${words.threshold}: ${before} … ${after}`.trim();
      label.querySelectorAll("input").forEach((input) => input.setAttribute("aria-label", name));
    });
  }

  function dress(area) {
    let box = area.closest("fieldset").querySelector(".thresholds");
    if (!box) {
      box = document.createElement("div");
      box.className = "thresholds";
      area.closest("details").before(box);
    }
    const found = thresholds(area.value);
    box.replaceChildren();
    found.forEach((t, i) => {
      const label = document.createElement("label");
      const [start, end, sentence] = [0, 1, 2].map(() => document.createElement("span"));
      start.className = end.className = "around";
      const { max, step } = scale(t.value, t.unit);
      const field = document.createElement("input");
      Object.assign(field, { type: "number", min: 0, step: "any", value: t.value });
      const slide = document.createElement("input");
      Object.assign(slide, { type: "range", min: 0, max, step, value: t.value });
      const put = (value) => {
        if (value === "" || Number.isNaN(Number(value)) || Number(value) < 0) return;
        // Places move when another number gets longer, so they are looked up anew.
        const now = thresholds(area.value)[i];
        if (!now) return;
        area.value = area.value.slice(0, now.at) + value + area.value.slice(now.at + now.length);
        field.value = value;
        slide.value = value;
        area.dispatchEvent(new Event("input", { bubbles: true }));
      };
      // Their own events would ask a second time.
      for (const input of [field, slide]) {
        input.addEventListener("input", (e) => { e.stopPropagation(); put(input.value); });
        input.addEventListener("change", (e) => e.stopPropagation());
      }
      sentence.append(start, " ", field, " ", end);
      label.append(sentence, slide);
      box.append(label);
    });
    say(area, said());
  }

  document.querySelectorAll("textarea[data-thresholds]").forEach((area) => {
    dress(area);
    let wait;
    area.addEventListener("gyul:rewritten", () => dress(area));
    area.addEventListener("input", (e) => {
      // Typing in the text makes new fields; moving a slider keeps the ones at hand.
      if (!e.isTrusted) return;
      clearTimeout(wait);
      wait = setTimeout(() => dress(area), 400);
    });
  });

  // The words come with each count.
  document.addEventListener("htmx:afterSettle", (e) => {
    if (e.detail?.target?.id !== "preview" && e.target?.id !== "preview") return;
    const all = said();
    document.querySelectorAll("textarea[data-thresholds]").forEach((area) => say(area, all));
  });

  // After a class has moved, the eye and the keyboard follow it.
  const form = document.getElementById("partition");
  form?.addEventListener("submit", (e) => {
    const done = e.submitter?.value ?? "";
    const [verb, n] = done.split(":");
    const to = { up: Number(n) - 1, down: Number(n) + 1 }[verb];
    if (to !== undefined) sessionStorage.setItem("gyul-class", `${verb}:${to}`);
    if (verb === "add") sessionStorage.setItem("gyul-class", "add");
  });
  const last = sessionStorage.getItem("gyul-class");
  if (last && form) {
    sessionStorage.removeItem("gyul-class");
    const rows = form.querySelectorAll(".rows > li[id]");
    const [verb, n] = last.split(":");
    const row = verb === "add" ? rows[rows.length - 1] : rows[Number(n)];
    row?.scrollIntoView({ block: "center" });
    const button = row?.querySelector(`button[value^="${verb}:"]:not([disabled])`) ?? row?.querySelector("button:not([disabled])");
    (verb === "add" ? row?.querySelector("input:not([type=hidden])") : button)?.focus();
  }
})();
