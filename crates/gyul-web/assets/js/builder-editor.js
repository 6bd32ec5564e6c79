// Cards and text of one condition, always in step: whichever is edited, the other follows.
(() => {
  "use strict";
  const builder = window.gyulBuilder;
  const { ask } = window.gyul;

  let words;
  /** What conditions can speak of; asked once. */
  builder.vocabulary = () => (words ??= ask("/api/v1/vocabulary"));

  const snapshot = (form) => JSON.stringify(form);
  /** What a form says, whatever its cards are called. Fields that say nothing may be absent. */
  const meaning = (form) => JSON.stringify(form, (k, v) => (k === "key" || v === null || v === "" || v === false || (Array.isArray(v) && !v.length && k !== "parts") ? undefined : v));

  const isGroup = (node) => node.is === "all" || node.is === "any" || (node.is === "not" && ["all", "any"].includes(node.part.is));
  const rooted = (node) => (isGroup(node) ? node : { is: "all", parts: [node] });

  /**
   * Mounts an editor. `options`:
   *   cards, text     elements for the two views (either may be absent)
   *   start           what the server is asked first: { yaml } or { text }
   *   more()          what is sent along with each question (yaml, about, of), if anything
   *   changed(state)  called with { yaml, text, form, about, problems, missing } after each answer; `by` says what was edited
   *   busy()          called when something was typed and no answer is there yet
   * Gives: state, form, text, set(start), undo(), redo(), refresh(), tell(map).
   */
  builder.editor = async (options) => {
    const vocabulary = await builder.vocabulary();
    let state = { form: { is: "all", parts: [] }, text: "", problems: [], missing: [], yaml: "" };
    let running;
    let timer;
    const past = [];
    let future = [];
    let kept = "";
    let lastKind = "";
    let lastAt = 0;
    // The view that was edited last is the one that counts: the other follows.
    let leads = "text";

    const cards = options.cards && builder.cards(options.cards, { form: state.form, vocabulary, changed: (kind) => edited("form", kind) });
    const text = options.text && builder.text(options.text, { changed: () => edited("text", "typed") });

    /** Keeps the state before an edit; typing in one go is one step. */
    function remember(kind) {
      const now = snapshot({ form: cards?.form, text: text?.text, leads });
      if (now === kept) return;
      const quick = kind === "typed" && lastKind === "typed" && performance.now() - lastAt < 600;
      if (kept && !quick) past.push(kept);
      if (past.length > 200) past.shift();
      future = [];
      kept = now;
      [lastKind, lastAt] = [kind, performance.now()];
    }

    function edited(by, kind) {
      leads = by;
      remember(kind);
      options.busy?.();
      clearTimeout(timer);
      timer = setTimeout(() => question(by), by === "text" ? 220 : 40);
    }

    async function question(by) {
      clearTimeout(timer);
      running?.abort();
      running = new AbortController();
      const own = running;
      const body = { ...(options.more?.() ?? {}) };
      if (by === "form") body.form = cards.form;
      else if (by === "text") body.text = text.text;
      else Object.assign(body, by);
      let answer;
      try {
        answer = await ask("/api/v1/segments/form", { method: "POST", body, signal: own.signal });
      } catch (e) {
        if (e.name !== "AbortError") options.failed?.(e);
        return;
      }
      if (own !== running) return;
      state = answer;
      if (by === "form") text?.set(answer.text);
      else if (by === "text") { if (answer.form && meaning(rooted(answer.form)) !== meaning(cards?.form)) cards?.set(answer.form); } else {
        leads = "text";
        if (answer.form) cards?.set(answer.form);
        text?.set(answer.text);
        kept = snapshot({ form: cards?.form, text: text?.text, leads });
      }
      text?.tell(answer.problems.filter((p) => !options.own || options.own(p)));
      // What follows from an edit of one view belongs to the same step.
      if (kept) kept = snapshot({ form: cards?.form, text: text?.text, leads });
      if (by !== "form" && !answer.form) state.form = null;
      else state.form = cards?.form ?? answer.form;
      options.changed(state, by);
    }

    function back(from, to) {
      const step = from.pop();
      if (step === undefined) return false;
      to.push(kept);
      kept = step;
      const { form, text: written, leads: led } = JSON.parse(step);
      cards?.set(form);
      text?.set(written);
      lastKind = "";
      leads = led;
      question(leads);
      return true;
    }

    await question(options.start ?? {});
    return {
      get state() { return state; },
      get form() { return cards?.form; },
      get text() { return text?.text; },
      get canUndo() { return past.length > 0; },
      get canRedo() { return future.length > 0; },
      /** Begins anew with another definition; `more` must agree with it. */
      set: (start) => { if (kept) past.push(kept); future = []; return question(start); },
      undo: () => back(past, future),
      redo: () => back(future, past),
      refresh: () => question(cards && (leads === "form" || !text) ? "form" : "text"),
      tell: (map) => cards?.tell(map),
      focus: () => cards?.focus(),
    };
  };
})();
