// The page of the segment builder: fields about the segment, the editor, the live count, saving.
(async () => {
  "use strict";
  const root = document.getElementById("builder");
  if (!root) return;
  const builder = window.gyulBuilder;
  const { t, el, either, ko } = builder;
  const { ask, count, percent, tell } = window.gyul;
  const $ = (id) => document.getElementById(`builder-${id}`);
  const page = JSON.parse($("data").textContent);
  const people = (n) => t(n === 1 ? "builder-people-one" : "builder-people", { n: count(n) });

  // ---- what the segment says about itself

  const FIELDS = ["id", "name_ko", "name_en", "goal_ko", "goal_en", "treatment_ko", "treatment_en", "description_ko", "description_en", "owner"];
  const field = (name) => root.elements[name];
  const first = field(ko ? "name_ko" : "name_en");
  let idByHand = page.of !== null;
  field("id").readOnly = page.of !== null;

  const about = () => ({
    ...Object.fromEntries(FIELDS.map((f) => [f, field(f).value.trim()])),
    tags: field("tags").value.split(",").map((x) => x.trim()).filter(Boolean),
  });
  function showAbout(a) {
    FIELDS.forEach((f) => { field(f).value = a[f] ?? ""; });
    field("tags").value = (a.tags ?? []).join(", ");
  }
  /** Letters (Hangul too), digits and underscores, beginning with a letter. */
  const idOf = (name) => name.normalize("NFC").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "_").replace(/^[_\d]+|_+$/g, "").slice(0, 60);
  function proposeId() {
    if (!idByHand) field("id").value = idOf(field("name_en").value || field("name_ko").value);
  }

  // ---- the editor

  let base = page.yaml;
  let version = page.version;
  let state = null;
  let aboutSent = false;
  let editor;
  let dirty = false;
  let saved = false;
  let saving = false;
  let waiting;
  let running;
  const time = new Intl.DateTimeFormat(ko ? "ko-KR" : "en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: window.gyul.words.zone });

  const more = () => ({ yaml: base, of: page.of ?? undefined, about: aboutSent ? about() : undefined });
  try {
    editor = await builder.editor({
      cards: $("cards"),
      text: $("text"),
      start: {},
      more,
      own: (p) => !["id", "id_taken", "expected"].includes(p.code) || p.start !== null,
      busy: () => { dirty = true; say(""); root.classList.add("counting"); },
      failed: (e) => say(e.message, true),
      changed: answered,
    });
  } catch (e) {
    $("cards").replaceChildren(el("p", { className: "notice bad" }, t("builder-failed", { why: e.message })));
    return;
  }

  function answered(next, by) {
    state = next;
    if (typeof by !== "string") showAbout(next.about);
    aboutSent = true;
    $("yaml").textContent = next.yaml;
    buttons();
    later();
  }

  function buttons() {
    if (!editor) return;
    $("undo").disabled = !editor.canUndo;
    $("redo").disabled = !editor.canRedo;
  }

  function say(text, bad = false) {
    $("say").textContent = text;
    $("say").classList.toggle("bad", bad);
  }

  // ---- the count

  /** Asks what the draft does once typing pauses; the latest answer wins. */
  function later(pause = 140) {
    clearTimeout(waiting);
    waiting = setTimeout(effects, pause);
  }

  async function effects() {
    if (!state) return;
    running?.abort();
    running = new AbortController();
    const own = running;
    const form = editor?.form ?? state.form;
    root.classList.add("counting");
    let e;
    try {
      e = await ask("/api/v1/segments/effects", {
        method: "POST",
        signal: own.signal,
        body: { yaml: state.yaml, form: state.form ? form : undefined, of: page.of ?? undefined, at: $("at").value || undefined, compare: $("compare").value || undefined, sample: 6 },
      });
    } catch (error) {
      if (error.name === "AbortError") return;
      root.classList.remove("counting");
      say(error.message, true);
      return;
    }
    if (own !== running) return;
    root.classList.remove("counting");
    show(e);
  }

  function show(e) {
    const readable = state.form !== null;
    const size = readable ? e.size : null;
    $("size").textContent = size === null ? t("builder-wrong") : people(size);
    $("size").classList.toggle("small", size === null);
    $("bar-size").textContent = size === null ? "–" : people(size);
    $("meter").value = size === null || !e.population ? 0 : size / e.population;
    const nothing = !e.parts.some((p) => p.alone !== null);
    const lines = [];
    if (size !== null) lines.push(nothing ? t("builder-nothing") : t("builder-share", { all: people(e.population), share: e.population ? percent(size / e.population) : "–" }));
    if (e.missing.length) lines.push(t("builder-unfinished", { n: e.missing.length }));
    lines.push(t("builder-counted-at", { at: time.format(new Date(e.at)) }));
    $("share").replaceChildren(...lines.flatMap((line) => [line, el("br")]).slice(0, -1));
    $("delta").textContent = "";
    if (e.saved && size !== null) {
      const [more, fewer] = [size - e.saved.both, e.saved.size - e.saved.both];
      $("delta").textContent = more + fewer === 0 ? t("builder-same") : t("builder-delta", { saved: people(e.saved.size), more: people(more), fewer: people(fewer) });
    }
    const compared = $("compare");
    $("compared").textContent = e.compared && size !== null
      ? t("builder-compared", { name: compared.selectedOptions[0].textContent, size: people(e.compared.size), both: people(e.compared.both), share: size ? percent(e.compared.both / size) : "–" })
      : "";
    $("sample").replaceChildren(...(e.sample.length && readable
      ? e.sample.map((c) => el("li", {}, el("a", { href: `/customers/${encodeURIComponent(c.id)}` }, c.name ?? c.id), c.name ? el("span", { className: "quiet" }, ` ${c.id}`) : ""))
      : [el("li", { className: "quiet" }, t("builder-sample-none"))]));
    warnings(e);
    cards(e, size);
  }

  function warnings(e) {
    const own = [...e.problems];
    const taken = state.problems.filter((p) => p.code === "id_taken" || (p.code === "id" && field("id").value));
    const said = [...taken, ...own].filter((p) => p.code !== "id" || field("id").value);
    const seen = new Set(e.parts.flatMap((p) => p.problems.map((x) => x.code + x.en)));
    const fresh = said.filter((p) => !seen.has(p.code + p.en) && seen.add(p.code + p.en));
    $("warnings").replaceChildren(...(fresh.length ? [el("h3", {}, t("builder-warnings"))] : []), ...fresh.map((p) =>
      el("div", { className: `notice ${p.severity === "error" ? "bad" : "warn"}` }, el("p", {}, ko ? p.ko : p.en, (ko ? p.hint_ko : p.hint_en) ? el("span", { className: "quiet" }, ` – ${ko ? p.hint_ko : p.hint_en}`) : ""))));
  }

  /** The effect of each condition, on its card. */
  function cards(e, size) {
    const map = new Map();
    const group = new Set();
    (function walk(node) {
      if (node.is === "all" || node.is === "any" || (node.is === "not" && ["all", "any"].includes(node.part.is))) {
        group.add(node.key);
        (node.part ?? node).parts.forEach(walk);
      }
    })(editor.form);
    const rootKey = editor.form.key;
    for (const p of e.parts) {
      if (p.key === rootKey) continue;
      const effect = p.alone === null ? "" : p.without === null ? t("builder-effect-alone", { alone: people(p.alone) }) : t(group.has(p.key) ? "builder-effect-group" : "builder-effect", { alone: people(p.alone), without: people(p.without) });
      const errors = p.problems.filter((x) => x.severity === "error");
      const shown = errors.length ? errors : p.problems;
      map.set(p.key, { effect, wrong: shown.map((x) => [ko ? x.ko : x.en, ko ? x.hint_ko : x.hint_en].filter(Boolean).join(" – ")).join(" "), only: errors.length ? "error" : "warning" });
    }
    for (const m of e.missing) map.set(m.key, { effect: "", wrong: ko ? m.ko : m.en, only: "warning" });
    editor.tell(map);
  }

  // ---- what else can be chosen

  const vocabulary = await builder.vocabulary();
  const label = (own) => either(own) ?? own.id;
  $("compare").append(
    el("optgroup", { label: t("builder-start-own") }, ...vocabulary.segments.filter((s) => s.id !== page.of).map((s) => el("option", { value: s.id }, label(s)))),
    ...vocabulary.partitions.map((p) => el("optgroup", { label: label(p) }, ...p.classes.map((c) => el("option", { value: `${p.id}/${c.id}` }, `${label(p)}: ${label(c)}`)))));
  $("compare").addEventListener("change", () => later(0));
  $("at").max = new Date().toISOString().slice(0, 10);
  $("at").addEventListener("change", () => { $("now").hidden = !$("at").value; later(0); });
  $("now").addEventListener("click", () => { $("at").value = ""; $("now").hidden = true; $("at").focus(); later(0); });

  if (page.of === null) {
    const choose = el("select", { id: "builder-start-select" }, el("option", { value: "" }, t("builder-start-choose")),
      el("optgroup", { label: t("builder-start-library") }, ...vocabulary.starters.map((s) => el("option", { value: `starter:${s.id}` }, label(s)))),
      el("optgroup", { label: t("builder-start-own") }, ...vocabulary.segments.map((s) => el("option", { value: `own:${s.id}` }, label(s)))));
    $("start").append(el("label", {}, t("builder-start-from"), choose));
    choose.addEventListener("change", async () => {
      const [kind, id] = choose.value.split(":");
      if (!kind || (dirty && !window.confirm(t("builder-start-replace")))) { choose.value = ""; return; }
      const yaml = kind === "starter" ? vocabulary.starters.find((s) => s.id === id).yaml : (await ask(`/api/v1/segments/${encodeURIComponent(id)}`)).yaml;
      base = yaml;
      aboutSent = false;
      await editor.set({ yaml });
      idByHand = false;
      // A copy is another segment.
      const taken = new Set(vocabulary.segments.map((s) => s.id));
      let own = id;
      for (let n = 2; taken.has(own); n++) own = `${id}_${n}`;
      field("id").value = own;
      idByHand = true;
      dirty = true;
      await editor.refresh();
    });
  }

  for (const name of [...FIELDS, "tags"]) {
    field(name).addEventListener("input", () => {
      dirty = true;
      say("");
      if (name === "id") idByHand = field("id").value !== "";
      if (name.startsWith("name")) proposeId();
      clearTimeout(field(name).waiting);
      field(name).waiting = setTimeout(() => editor.refresh(), 300);
    });
  }

  // ---- undo, save

  $("undo").addEventListener("click", () => { editor.undo(); buttons(); });
  $("redo").addEventListener("click", () => { editor.redo(); buttons(); });
  document.addEventListener("keydown", (e) => {
    if (!(e.ctrlKey || e.metaKey) || e.altKey) return;
    const key = e.key.toLowerCase();
    // In fields the browser's own undo is expected.
    const typing = e.target.matches?.("textarea, input:not([type=date])");
    if (key === "enter") { e.preventDefault(); save(); } else if (!typing && key === "z") {
      e.preventDefault();
      e.shiftKey ? editor.redo() : editor.undo();
      buttons();
    } else if (!typing && key === "y") { e.preventDefault(); editor.redo(); buttons(); }
  });
  window.addEventListener("beforeunload", (e) => { if (dirty && !saved && page.may_edit) { e.preventDefault(); e.returnValue = t("builder-leave"); } });
  root.addEventListener("submit", (e) => { e.preventDefault(); save(); });
  // Enter in a field is no order to save.
  root.addEventListener("keydown", (e) => { if (e.key === "Enter" && !e.ctrlKey && !e.metaKey && e.target.matches("input")) e.preventDefault(); });

  function mayNot() {
    if (!field("id").value) return [t("builder-need-id"), first];
    if (!state.form || state.problems.some((p) => p.severity === "error" || p.code === "id_taken")) return [t("builder-need-mending")];
    if (state.missing.length) return [t("builder-need-filling")];
    if (!state.text.trim() || state.text.trim() === "true") return [t("builder-need-conditions")];
    return null;
  }

  async function save(over = version) {
    if (!page.may_edit || saving) return;
    saving = true;
    try {
      await editor.refresh();
      const why = mayNot();
      if (why) {
        say(why[0], true);
        why[1]?.focus();
        return;
      }
      say(t("builder-saving"));
      const id = field("id").value;
      await ask(`/api/v1/segments/${encodeURIComponent(id)}`, { method: "PUT", body: state.yaml, headers: { "content-type": "application/yaml", "if-match": `"${over}"` } });
      saved = true;
      say(t("builder-saved"));
      location.assign(`/segments/${encodeURIComponent(id)}`);
    } catch (e) {
      if (e.status === 409) return conflict();
      const first = e.problem?.errors?.[0];
      say([first?.message ?? e.message, first?.hint].filter(Boolean).join(" "), true);
    } finally {
      saving = false;
    }
  }

  /** Somebody else was faster: say so, and offer their version. */
  async function conflict() {
    const id = field("id").value;
    say("");
    let text = t("builder-conflict");
    let newest;
    try {
      newest = await ask(`/api/v1/segments/${encodeURIComponent(id)}`);
      const [latest] = (await ask(`/api/v1/segments/${encodeURIComponent(id)}/versions`)).items;
      text = t("builder-conflict-at", { version: latest.version, at: time.format(new Date(latest.at)) });
    } catch { /* The words above will do. */ }
    const box = tell(text, "bad");
    const load = el("button", { type: "button", className: "small", onclick: async () => {
      box.remove();
      base = newest.yaml;
      version = newest.version;
      page.of = id;
      aboutSent = false;
      field("id").readOnly = true;
      await editor.set({ yaml: base });
    } }, t("builder-conflict-load"));
    const keep = el("button", { type: "button", className: "small", onclick: () => { box.remove(); version = newest.version; page.of = id; base = newest.yaml; save(version); } }, t("builder-conflict-keep"));
    if (newest) box.firstChild.append(el("span", { className: "actions" }, load, page.of !== null && keep));
    box.scrollIntoView({ block: "center" });
    load.focus();
  }

  buttons();
  if (page.of === null) first.focus({ preventScroll: true });
})();
