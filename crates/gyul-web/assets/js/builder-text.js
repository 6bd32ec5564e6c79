// The condition as text: a plain field with line numbers, and what is wrong beneath it, each at its place.
(() => {
  "use strict";
  const builder = window.gyulBuilder;
  const { t, el, ko } = builder;

  /** `options`: changed(text). Gives text, set(text), tell(problems). */
  builder.text = (host, options) => {
    const gutter = el("div", { className: "gutter", "aria-hidden": "true" });
    const id = `builder-text-${Math.random().toString(36).slice(2)}`;
    const field = el("textarea", { id, className: "code", spellcheck: false, autocapitalize: "off", autocomplete: "off", rows: 4, "aria-describedby": `${id}-problems`, "aria-label": t("builder-text") });
    const list = el("ul", { id: `${id}-problems`, className: "text-problems" });
    // Long lines wrap: a copy that nobody sees tells how high each of them is.
    const mirror = el("div", { className: "mirror", "aria-hidden": "true" });
    host.replaceChildren(el("div", { className: "text-frame" }, gutter, field, mirror), list);
    let problems = [];

    const chars = () => Array.from(field.value);
    /** Line (from 1), column (from 1) and place in UTF-16 units of a character. */
    function placeOf(start) {
      const before = chars().slice(0, start).join("");
      const lines = before.split("\n");
      return { line: lines.length, column: Array.from(lines.at(-1)).length + 1, unit: before.length };
    }

    function draw() {
      const lines = field.value.split("\n");
      const bad = new Set(problems.filter((p) => p.start !== null && p.severity === "error").map((p) => placeOf(p.start).line));
      gutter.replaceChildren(...lines.map((_, i) => el("span", { className: bad.has(i + 1) ? "bad" : "" }, String(i + 1))));
      mirror.replaceChildren(...lines.map((line) => el("div", {}, line || "\u200b")));
      fit();
      field.setAttribute("aria-invalid", problems.some((p) => p.severity === "error"));
    }

    function fit() {
      mirror.style.width = `${field.clientWidth}px`;
      let rows = 1;
      [...mirror.children].forEach((line, i) => {
        const height = line.offsetHeight || 20;
        if (gutter.children[i]) gutter.children[i].style.height = `${height}px`;
        rows += height / 20;
      });
      field.rows = Math.min(Math.max(Math.ceil(rows), 4), 18);
    }

    new ResizeObserver(fit).observe(field);
    field.addEventListener("input", () => { draw(); options.changed(field.value); });
    field.addEventListener("scroll", () => { gutter.scrollTop = field.scrollTop; });

    draw();
    return {
      get text() { return field.value; },
      get focused() { return document.activeElement === field; },
      set(text) {
        if (field.value === text) return;
        field.value = text;
        draw();
      },
      tell(next) {
        problems = next;
        draw();
        list.replaceChildren(...problems.map((p) => {
          const said = el("span", {}, ko ? p.ko : p.en);
          const hint = ko ? p.hint_ko : p.hint_en;
          if (hint) said.append(" – ", el("span", { className: "quiet" }, hint));
          if (p.start === null || p.start === undefined) return el("li", { className: p.severity }, said);
          const at = placeOf(p.start);
          const go = el("button", { type: "button", className: "link", onclick: () => {
            const length = Array.from(field.value).slice(p.start, p.start + (p.width ?? 1)).join("").length;
            field.focus();
            field.setSelectionRange(at.unit, at.unit + length);
          } }, t("builder-place", { line: at.line, column: at.column }));
          return el("li", { className: p.severity }, go, " ", said);
        }));
      },
    };
  };
})();
