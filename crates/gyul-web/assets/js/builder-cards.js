// Conditions as cards: groups within groups, each card a sentence with fields in it. Changes the form in place.
(() => {
  "use strict";
  const builder = window.gyulBuilder;
  const { t, el, sentence, nameOf, signName, typeOf, fresh: freshValue, choice, input, duration, constant, subject, eventChoice, where, among, occasion, steps, CHANNELS } = builder;

  const isGroup = (node) => node.is === "all" || node.is === "any" || (node.is === "not" && (node.part.is === "all" || node.part.is === "any"));
  const partsOf = (node) => (node.is === "not" ? node.part.parts : node.parts);
  const become = (node, other) => {
    for (const k of Object.keys(node)) if (k !== "key") delete node[k];
    Object.assign(node, other);
  };
  const copied = (node) => JSON.parse(JSON.stringify(node, (k, v) => (k === "key" ? undefined : v)));

  const fold = (name, of, windows = []) => ({ is: "fold", fold: name, of: { is: "name", parts: of }, windows });

  /** New cards by kind. */
  function fresh(kind, context, vocabulary) {
    const compare = (value, sign, to) => ({ is: "compare", value, sign, to });
    switch (kind) {
      case "behaviour": return compare(fold("count", ["order"], [{ is: "last", duration: "30d" }]), ">=", { is: "number", number: "1" });
      case "recency": return compare(fold("since", ["order"]), "<=", { is: "duration", duration: "30d" });
      case "amount": return compare(fold("sum", ["order", "total"], [{ is: "last", duration: "1y" }]), ">=", { is: "number", number: "100000" });
      case "trait": {
        const trait = vocabulary.traits.find((x) => x.values.length) ?? vocabulary.traits[0];
        const value = { is: "name", parts: (trait?.name ?? "age").split(".") };
        return compare(value, "=", freshValue(typeOf(value, {}, vocabulary), value, {}, vocabulary));
      }
      case "measure": return compare({ is: "name", parts: [vocabulary.measures[0]?.id ?? ""] }, ">=", { is: "number", number: "1" });
      case "class": {
        const value = { is: "name", parts: [vocabulary.partitions[0]?.id ?? ""] };
        return compare(value, "=", freshValue("class", value, {}, vocabulary));
      }
      case "rank": return { is: "rank", value: fold("sum", ["order", "total"], [{ is: "last", duration: "1y" }]), rank: "top", percent: "10" };
      case "segment": return { is: "segment", id: vocabulary.segments[0]?.id ?? "" };
      case "sequence": return { is: "sequence", steps: [{ event: { event: "view" } }, { event: { event: "cart" } }, { event: { event: "order" } }], within: "7d", by: "", windows: [] };
      case "occasion": return { is: "occasion", name: "chuseok", within: "14d" };
      case "consent": return { is: "call", call: "reachable", args: [{ is: "name", parts: ["kakao"] }] };
      case "sample": return { is: "call", call: "sample", args: [{ is: "percent", percent: "10" }, { is: "text", text: "a" }] };
      case "near": return { is: "near", after: true, event: { event: "order" }, within: "1d" };
      case "event": {
        const own = builder.findEvent(vocabulary, context.event)?.properties ?? [];
        const value = { is: "name", parts: [(own.find((p) => p.type === "number") ?? own[0])?.name ?? "nth"] };
        const type = typeOf(value, context, vocabulary);
        return compare(value, type === "number" ? ">=" : "=", freshValue(type, value, context, vocabulary));
      }
      case "group": return { is: "any", parts: [] };
      default: return { is: "text", text: "" };
    }
  }

  const KINDS = ["behaviour", "recency", "amount", "trait", "class", "rank", "measure", "segment", "sequence", "consent", "occasion", "sample", "expression", "group"];
  const KINDS_OF_EVENT = ["event", "near", "occasion", "expression", "group"];

  const SIGNS = {
    number: ["=", "!=", ">=", ">", "<=", "<", "between", "in", "top", "bottom", "above", "below", "known", "unknown"],
    duration: [">=", ">", "<=", "<", "between", "top", "bottom", "above", "below", "known", "unknown"],
    instant: [">=", ">", "<=", "<", "=", "between", "known", "unknown"],
    text: ["=", "!=", "in", "contains", "starts with", "ends with", "within", "matches", "known", "unknown"],
    list: ["contains", "known", "unknown"],
    bool: ["=", "known", "unknown"],
    class: ["=", "!=", "in"],
    weekday: ["=", "!=", "in"],
    channel: ["="],
  };

  /** The comparison of a node as one word. */
  const signOf = (node) => ({ compare: node.sign, test: node.test, rank: node.rank })[node.is] ?? node.is;

  function setSign(node, sign, context, vocabulary) {
    const old = node.to ?? node.low ?? node.list?.[0] ?? (node.is === "test" ? { is: "text", text: node.text } : null);
    const type = typeOf(node.value, context, vocabulary);
    const to = () => (old ? JSON.parse(JSON.stringify(old)) : freshValue(type, node.value, context, vocabulary));
    const value = node.value;
    if (sign in { known: 1, unknown: 1 }) return become(node, { is: sign, value });
    if (sign === "between") return become(node, { is: sign, value, low: to(), high: to() });
    if (sign === "in") return become(node, { is: sign, value, list: [to()] });
    if (["top", "bottom", "above", "below"].includes(sign)) return become(node, { is: "rank", value, rank: sign, percent: node.percent || "10", among: node.among ?? null });
    if (["contains", "starts with", "ends with", "matches", "within"].includes(sign)) return become(node, { is: "test", value, test: sign, text: old?.text ?? "" });
    return become(node, { is: "compare", value, sign, to: to() });
  }

  /** Cards in an element. `options`: form, vocabulary, changed(). Gives set(form), effects(…), problems. */
  builder.cards = (host, options) => {
    const { vocabulary } = options;
    let form = options.form;
    let keys = 0;
    let told = new Map();

    const edit = {
      vocabulary,
      typed: () => options.changed("typed"),
      /** Draws anew and puts the focus on a field. */
      rebuilt: (focus) => { draw(focus); options.changed("rebuilt"); },
      fresh: (kind, context) => fresh(kind, context, vocabulary),
      button: (what, id, onclick) => el("button", { type: "button", className: `tool tool-${what}`, title: t(`builder-do-${what}`), "aria-label": t(`builder-do-${what}`), "data-f": id, onclick }, { up: "↑", down: "↓", not: "≠", wrap: "( )", copy: "", remove: "×", out: "⤴", formula: "ƒ" }[what]),
      group: (node, more) => group(node, null, 0, more),
    };

    function key(node) {
      node.key ||= `c${++keys}`;
      return node.key;
    }

    function comparison(node, context) {
      const id = key(node);
      const left = subject(edit, `${id}-l`, node.value, context, (v) => {
        const before = typeOf(node.value, context, vocabulary);
        node.value = v;
        const after = typeOf(v, context, vocabulary);
        const simple = ["number", "percent", "duration", "text", "bool", "date", "class"].includes(node.to?.is) || node.to?.is === "name" || !node.to;
        if (before !== after && simple) {
          const sign = (SIGNS[after] ?? SIGNS.number).includes(signOf(node)) ? signOf(node) : (SIGNS[after] ?? SIGNS.number)[0];
          delete node.to; delete node.low; delete node.list;
          if (node.is === "test") node.text = "";
          const fresh = freshValue(after, v, context, vocabulary);
          setSign(Object.assign(node, { to: fresh }), sign, context, vocabulary);
        }
      });
      const type = typeOf(node.value, context, vocabulary);
      let signs = SIGNS[type] ?? SIGNS.number;
      if (context.event !== undefined || (node.value.is === "name" && vocabulary.traits.some((x) => x.name === node.value.parts.join(".")))) signs = signs.filter((s) => !["top", "bottom", "above", "below"].includes(s));
      const now = signOf(node);
      if (!signs.includes(now)) signs = [...signs, now];
      const sign = choice(t("builder-sign"), `${id}-sign`, [["", signs.map((s) => [s, signName(s)])]], now, (s) => { setSign(node, s, context, vocabulary); edit.rebuilt(`${id}-sign`); });
      const right = (name, value, set) => constant(edit, `${id}-${name}`, value, node.value, context, set);
      switch (node.is) {
        case "compare": return sentence("builder-say-compare", { value: left, sign, to: right("to", node.to, (v) => { node.to = v; }) });
        case "between": return sentence("builder-say-between", { value: left, sign, low: right("low", node.low, (v) => { node.low = v; }), high: right("high", node.high, (v) => { node.high = v; }) });
        case "in": {
          const list = el("span", { className: "list" });
          node.list.forEach((value, i) => list.append(el("span", { className: "pair" }, ...right(`in${i}`, value, (v) => { node.list[i] = v; }), node.list.length > 1 && edit.button("remove", `${id}-in${i}-no`, () => { node.list.splice(i, 1); edit.rebuilt(`${id}-in-add`); }))));
          list.append(el("button", { type: "button", className: "link add-where", "data-f": `${id}-in-add`, onclick: () => { node.list.push(freshValue(type, node.value, context, vocabulary)); edit.rebuilt(`${id}-in${node.list.length - 1}`); } }, t("builder-add-value")));
          return sentence("builder-say-in", { value: left, sign, list });
        }
        case "test": return sentence("builder-say-compare", { value: left, sign, to: input(t("builder-value"), `${id}-text`, node.text, (v) => { node.text = v; edit.typed(); }, { suggestions: builder.seen(node.value, context, vocabulary), className: "middle" }) });
        case "rank": {
          const percent = ["top", "bottom"].includes(node.rank) ? [input(t("builder-percent"), `${id}-percent`, node.percent, (v) => { node.percent = v; edit.typed(); }, { inputmode: "decimal", className: "short" }), el("span", { className: "word" }, "%")] : null;
          return [...sentence("builder-say-rank", { value: left, sign, percent }), among(edit, id, node, context)];
        }
        default: return sentence("builder-say-compare", { value: left, sign });
      }
    }

    function call(node) {
      const id = key(node);
      if (["consent", "reachable"].includes(node.call) && node.args.length === 1) {
        const which = choice(t("builder-subject"), `${id}-call`, [["", ["reachable", "consent"].map((c) => [c, t(`builder-call-${c}`)])]], node.call, (v) => { node.call = v; edit.typed(); });
        const channel = choice(t("builder-channel"), `${id}-channel`, [["", CHANNELS.map((c) => [c, t(`builder-channel-${c}`)])]], node.args[0].parts?.[0] ?? "", (v) => { node.args[0] = { is: "name", parts: [v] }; edit.typed(); });
        return sentence("builder-say-call", { call: which, channel });
      }
      if (node.call === "sample" && node.args[0]?.is === "percent" && node.args[1]?.is === "text") {
        return sentence("builder-say-sample", {
          percent: input(t("builder-percent"), `${id}-p`, node.args[0].percent, (v) => { node.args[0].percent = v; edit.typed(); }, { inputmode: "decimal", className: "short" }),
          salt: input(t("builder-salt"), `${id}-salt`, node.args[1].text, (v) => { node.args[1].text = v; edit.typed(); }, { className: "middle" }),
        });
      }
      return subject(edit, id, { is: "call", call: node.call, args: node.args }, {}, (v) => become(node, { is: "holds", value: v }));
    }

    function fieldsOf(node, context) {
      const id = key(node);
      switch (node.is) {
        case "compare": case "between": case "in": case "known": case "unknown": case "test": case "rank": return comparison(node, context);
        case "segment": return sentence("builder-say-segment", { segment: choice(t("builder-segment"), `${id}-id`, [["", vocabulary.segments.map((s) => [s.id, nameOf(s)])]], node.id, (v) => { node.id = v; edit.typed(); }) });
        case "sequence": return [el("span", { className: "word" }, t("builder-kind-sequence")), steps(edit, id, node)];
        case "occasion": return [el("span", { className: "word" }, t(context.event !== undefined ? "builder-say-occasion-event" : "builder-say-occasion")), occasion(edit, id, node.name, (v) => { node.name = v; }),
          ...sentence("builder-say-within", { length: duration(edit, t("builder-within"), `${id}-d`, node.within, (v) => { node.within = v; }, true) })];
        case "near": return [...sentence("builder-say-near", {
          which: choice(t("builder-sign"), `${id}-after`, [["", [["true", t("builder-near-after")], ["false", t("builder-near-before")]]]], String(node.after), (v) => { node.after = v === "true"; edit.typed(); }),
          event: eventChoice(edit, `${id}-e`, node.event.event, node.event.quoted, (e, q) => { node.event = { event: e, quoted: q }; }),
          length: duration(edit, t("builder-within"), `${id}-d`, node.within, (v) => { node.within = v; }, true),
        }), ...where(edit, `${id}-e`, node.event, node.event.event)];
        case "call": return call(node);
        case "holds": return node.value.is === "bool"
          ? [choice(t("builder-value"), `${id}-b`, [["", [["true", t("builder-everybody")], ["false", t("builder-nobody")]]]], String(node.value.bool), (v) => { node.value.bool = v === "true"; edit.typed(); })]
          : sentence("builder-say-holds", { value: subject(edit, id, node.value, context, (v) => { node.value = v; }) });
        default: return [el("label", { className: "expression" }, el("span", { className: "word" }, t("builder-kind-expression")),
          el("textarea", { className: "code", rows: 2, value: node.text ?? "", spellcheck: false, "data-f": `${id}-text`, oninput: (e) => { node.text = e.target.value; edit.typed(); } }))];
      }
    }

    /** Where a card stands: among `parts` of a group at `index`; `out` puts it after the group. */
    function tools(node, parts, index, above) {
      const id = key(node);
      const focus = (what) => `${id}-${what}`;
      const move = (step) => {
        const [x] = parts.splice(index, 1);
        const next = parts[step < 0 ? index - 1 : index];
        if (next && isGroup(next)) partsOf(next)[step < 0 ? "push" : "unshift"](x);
        else if (next) parts.splice(index + step, 0, x);
        else if (above?.parts) above.parts.splice(above.index + (step < 0 ? 0 : 1), 0, x);
        else parts.splice(index, 0, x);
        edit.rebuilt(focus(step < 0 ? "up" : "down"));
      };
      return el("span", { className: "tools" },
        edit.button("up", focus("up"), () => move(-1)),
        edit.button("down", focus("down"), () => move(1)),
        !isGroup(node) && edit.button("not", focus("not"), () => {
          if (node.is === "not") become(node, copied(node.part));
          else become(node, { is: "not", part: copied(node) });
          edit.rebuilt(focus("not"));
        }),
        isGroup(node)
          ? edit.button("out", focus("out"), () => { const own = partsOf(node); parts.splice(index, 1, ...own); edit.rebuilt(own[0] && `${key(own[0])}-up`); })
          : edit.button("wrap", focus("wrap"), () => { const x = { ...node }; become(node, { is: "any", parts: [x] }); node.key = ""; edit.rebuilt(`${key(x)}-wrap`); }),
        edit.button("copy", focus("copy"), () => { const x = copied(node); parts.splice(index + 1, 0, x); edit.rebuilt(`${key(x)}-copy`); }),
        edit.button("remove", focus("remove"), () => { parts.splice(index, 1); edit.rebuilt(parts.length ? `${key(parts[Math.min(index, parts.length - 1)])}-remove` : `${above?.id ?? ""}-add`); }));
    }

    /** The sentence first, then what stands in blocks below it, then the buttons that add to it. */
    function inOrder(fields) {
      const rank = (f) => (f.classList?.contains("add-where") ? 2 : f.classList?.contains("where") ? 1 : 0);
      return fields.filter(Boolean).sort((a, b) => rank(a) - rank(b));
    }

    function card(node, parts, index, context, above) {
      const inner = node.is === "not" ? node.part : node;
      if (node.is === "not") key(node);
      const line = el("div", { className: "line" }, node.is === "not" && el("strong", { className: "tag warn" }, t("builder-not")), ...inOrder(fieldsOf(inner, context)));
      return el("li", { className: `cond${node.is === "not" ? " negated" : ""}`, "data-key": key(node) }, line, tools(node, parts, index, above),
        context.event === undefined && el("p", { className: "effect" }), el("p", { className: "wrong", hidden: true }));
    }

    const MODES = ["all", "any", "none", "notall"];
    const modeOf = (node) => (node.is === "not" ? (node.part.is === "any" ? "none" : "notall") : node.is);

    function setMode(node, mode) {
      const parts = partsOf(node);
      if (mode === "none" || mode === "notall") become(node, { is: "not", part: { is: mode === "none" ? "any" : "all", parts } });
      else become(node, { is: mode, parts });
    }

    /** A group as a list of cards. `more`: event (inside one), label, empty() when its last card goes. */
    function group(node, parts, index, more = {}, above = null) {
      const id = key(node);
      const own = partsOf(node);
      const context = { event: more.event };
      const mode = choice(t("builder-mode"), `${id}-mode`, [["", MODES.map((m) => [m, t(`builder-mode-${m}`)])]], modeOf(node), (m) => { setMode(node, m); edit.rebuilt(`${id}-mode`); });
      const head = el("div", { className: "line group-head" }, more.label && el("span", { className: "word" }, more.label), (own.length > 1 || parts || !more.label) && mode);
      const list = el("ul", { className: "cards" });
      own.forEach((part, i) => {
        const place = { parts, index, id };
        list.append(isGroup(part) ? group(part, own, i, { event: more.event }, place) : card(part, own, i, context, place));
      });
      if (!own.length) {
        if (more.empty) { more.empty(); return el("span", {}); }
        list.append(el("li", { className: "quiet none" }, t("builder-group-empty")));
      }
      const menu = el("details", { className: "menu" }, el("summary", { "data-f": `${id}-add` }, t(more.event !== undefined ? "builder-add-where" : "builder-add")),
        el("div", { className: "menu-list" }, ...(more.event !== undefined ? KINDS_OF_EVENT : KINDS).map((k) => el("button", { type: "button", onclick: () => {
          const x = fresh(k, context, vocabulary);
          own.push(x);
          edit.rebuilt(isGroup(x) ? `${key(x)}-add` : `${key(x)}-*`);
        } }, t(`builder-kind-${k}`)))));
      menu.addEventListener("keydown", (e) => { if (e.key === "Escape" && menu.open) { menu.open = false; menu.firstChild.focus(); e.stopPropagation(); } });
      menu.addEventListener("toggle", () => { if (menu.open) menu.scrollIntoView({ block: "nearest" }); });
      menu.addEventListener("focusout", (e) => { if (e.relatedTarget && !menu.contains(e.relatedTarget)) menu.open = false; });
      const box = el(parts ? "li" : "div", { className: `group ${modeOf(node)}${more.event !== undefined || more.label ? " within" : ""}`, "data-key": id, role: "group", "aria-label": t(`builder-mode-${modeOf(node)}`) },
        head, parts && tools(node, parts, index, above), list, menu, !more.label && el("p", { className: "effect" }), !more.label && el("p", { className: "wrong", hidden: true }));
      return box;
    }

    /** The root is always a group. */
    function rooted(node) {
      if (!node) return { is: "all", parts: [] };
      return isGroup(node) ? node : { is: "all", parts: [node] };
    }

    function draw(focus) {
      const before = focus ?? document.activeElement?.dataset?.f;
      const inside = focus || host.contains(document.activeElement);
      host.replaceChildren(group(form, null, 0));
      show();
      if (!before || !inside) return;
      const wanted = before.endsWith("-*") ? `[data-f^="${CSS.escape(before.slice(0, -1))}"]` : `[data-f="${CSS.escape(before)}"]`;
      (host.querySelector(wanted) ?? host.querySelector(`[data-f^="${CSS.escape(before.replace(/-[^-]*$/, ""))}"]`))?.focus();
    }

    /** What was told about cards, on them. */
    function show() {
      for (const box of host.querySelectorAll("[data-key]")) {
        const own = told.get(box.dataset.key);
        const effect = [...box.children].find((c) => c.classList.contains("effect"));
        const wrong = [...box.children].find((c) => c.classList.contains("wrong"));
        if (effect) effect.textContent = own?.effect ?? "";
        if (wrong) { wrong.hidden = !own?.wrong; wrong.textContent = own?.wrong ?? ""; wrong.classList.toggle("warn", own?.only === "warning"); }
      }
    }

    form = rooted(form);
    draw();
    return {
      get form() { return form; },
      set(next) { form = rooted(next); told = new Map(); draw(); },
      /** `Map` of key to { effect, wrong, only }. */
      tell(map) { told = map; show(); },
      focus() { host.querySelector("select, input, summary")?.focus(); },
    };
  };
})();
