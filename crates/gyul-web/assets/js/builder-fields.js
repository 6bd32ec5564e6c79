// Fields of the cards: choices, numbers, durations, values, events with their conditions, windows.
// Each field changes the form in place and calls `edit.typed()`, or `edit.rebuilt()` where other fields appear or go.
(() => {
  "use strict";
  const builder = window.gyulBuilder;
  const { t, el, sentence, named, nameOf, eventName, propertyName, traitName, foldName, typeOf, seen, findEvent, FOLDS, OF_PROPERTY, OF_EVENT } = builder;

  let lists = 0;

  /** A choice; what is set but not on offer is on offer too. `groups`: [[label or "", [[value, label], …]], …] */
  function choice(label, id, groups, value, set) {
    const all = groups.flatMap(([, options]) => options.map(([v]) => v));
    const select = el("select", { "aria-label": label, "data-f": id, onchange: (e) => set(e.target.value) });
    if (!all.includes(value)) select.append(el("option", { value, selected: true }, value === "" ? t("builder-choose") : value));
    for (const [name, options] of groups) {
      const into = name ? el("optgroup", { label: name }) : select;
      for (const [v, text] of options) into.append(el("option", { value: v, selected: v === value }, text));
      if (name && options.length) select.append(into);
    }
    if (value === "") select.classList.add("unset");
    return select;
  }

  function input(label, id, value, set, more = {}) {
    const suggestions = more.suggestions?.length ? el("datalist", { id: `builder-list-${++lists}` }, ...more.suggestions.map((s) => el("option", { value: s }))) : null;
    const field = el("input", {
      type: more.type ?? "text", "aria-label": label, "data-f": id, value, inputmode: more.inputmode, placeholder: more.placeholder, spellcheck: false,
      autocomplete: "off", list: suggestions?.id, className: more.className ?? "", oninput: (e) => set(e.target.value), size: more.size,
    });
    return suggestions ? el("span", { className: "pair" }, field, suggestions) : field;
  }

  const UNITS = ["min", "h", "d", "w", "mo", "y"];

  function duration(edit, label, id, value, set, optional = false) {
    const match = /^([\d._]*)\s*(s|min|h|d|w|mo|y)?$/.exec(value ?? "");
    let [n, unit] = match ? [match[1], match[2] ?? "d"] : ["", "d"];
    const units = UNITS.includes(unit) ? UNITS : ["s", ...UNITS];
    const give = () => { set(n === "" ? "" : `${n}${unit}`); edit.typed(); };
    return el("span", { className: "pair" },
      input(label, `${id}-n`, n, (v) => { n = v.trim(); give(); }, { inputmode: "decimal", className: "short", placeholder: optional ? "–" : "" }),
      choice(t("builder-unit"), `${id}-u`, [["", units.map((u) => [u, t(`builder-unit-${u}`)])]], unit, (v) => { unit = v; give(); }));
  }

  const moment = (edit, label, id, value, set) =>
    /^\d{4}-\d{2}-\d{2}T/.test(value)
      ? input(label, id, value, (v) => { set(v); edit.typed(); }, { className: "long" })
      : input(label, id, value, (v) => { set(v); edit.typed(); }, { type: "date" });

  /** A value that goes with the left side of a comparison. */
  function fresh(type, left, context, vocabulary) {
    switch (type) {
      case "percent": return { is: "percent", percent: "50" };
      case "duration": return { is: "duration", duration: "30d" };
      case "instant": return { is: "date", date: new Date().toISOString().slice(0, 10) };
      case "bool": return { is: "bool", bool: true };
      case "class": return { is: "name", parts: [named(vocabulary.partitions, left.parts.join("."))?.classes[0]?.id ?? ""] };
      case "weekday": return { is: "name", parts: ["sat"] };
      case "channel": return { is: "text", text: "kakao" };
      case "number": return { is: "number", number: "1" };
      default: return { is: "text", text: seen(left, context, vocabulary)[0] ?? "" };
    }
  }

  const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
  const CHANNELS = ["kakao", "email", "sms", "push"];

  /** The right side of a comparison: a constant, or by its button something worked out. `left` says what it is compared with. */
  function constant(edit, id, value, left, context, set) {
    const fields = plain(edit, id, value, left, context, set);
    if (!["number", "duration", "percent"].includes(value.is) || left === value || context.event !== undefined) return fields;
    const worked = { number: value.number, duration: value.duration, percent: `${value.percent}%` }[value.is];
    return [...fields, edit.button("formula", `${id}-formula`, () => { set({ is: "expression", expression: worked }); edit.rebuilt(`${id}-what`); })];
  }

  function plain(edit, id, value, left, context, set) {
    const { vocabulary } = edit;
    const type = typeOf(left, context, vocabulary);
    const label = t("builder-value");
    const put = (change) => (v) => { change(v); edit.typed(); };
    switch (value.is) {
      case "number": {
        const unit = left.is === "fold" && ["count", "days", "distinct", "streak"].includes(left.fold) ? t(`builder-times-${left.fold}`) : "";
        return [input(label, id, value.number, put((v) => { value.number = v; }), { inputmode: "decimal", className: "short" }), unit && el("span", { className: "word" }, unit)];
      }
      case "percent": return [input(label, id, value.percent, put((v) => { value.percent = v; }), { inputmode: "decimal", className: "short" }), el("span", { className: "word" }, "%")];
      case "duration": return [duration(edit, label, id, value.duration, (v) => { value.duration = v; })];
      case "date": return [moment(edit, label, id, value.date, (v) => { value.date = v; })];
      case "instant": return [moment(edit, label, id, value.instant, (v) => { value.instant = v; })];
      case "bool": return [choice(label, id, [["", [["true", t("builder-yes")], ["false", t("builder-no")]]]], String(value.bool), put((v) => { value.bool = v === "true"; }))];
      case "text":
        if (type === "channel") return [choice(label, id, [["", CHANNELS.map((c) => [c, t(`builder-channel-${c}`)])]], value.text, put((v) => { value.text = v; }))];
        return [input(label, id, value.text, put((v) => { value.text = v; }), { suggestions: seen(left, context, vocabulary), className: "middle" })];
      case "name": {
        const partition = type === "class" && left.is === "name" && named(vocabulary.partitions, left.parts.join("."));
        const set1 = put((v) => { value.parts = v.split("."); value.quoted = false; });
        if (partition) return [choice(label, id, [["", partition.classes.map((c) => [c.id, nameOf(c)])]], value.parts.join("."), set1)];
        if (type === "weekday") return [choice(label, id, [["", DAYS.map((d) => [d, t(`builder-day-${d}`)])]], value.parts[0], set1)];
        return subject(edit, id, value, context, set, true);
      }
      default: return subject(edit, id, value, context, set, true);
    }
  }

  /** Whatever a customer (or an event) has: the left side of a comparison, also the right one where it is no constant. */
  function subject(edit, id, value, context, set, right = false) {
    const { vocabulary } = edit;
    const inEvent = context.event !== undefined;
    const swap = (v) => { set(v); edit.rebuilt(`${id}-what`); };
    const pick = (v) => {
      const [kind, ...rest] = v.split(":");
      const name = rest.join(":");
      if (kind === "name") swap({ is: "name", parts: name.split(".") });
      else if (kind === "fold") swap({ is: "fold", fold: name || "count", of: { is: "name", parts: OF_PROPERTY.includes(name) ? ["order", "total"] : ["order"] }, windows: [] });
      else if (kind === "position") swap({ is: "position", position: name, value: { is: "fold", fold: "sum", of: { is: "name", parts: ["order", "total"] }, windows: [] } });
      else if (kind === "prefers") swap({ is: "call", call: "prefers", args: [{ is: "name", parts: ["channel"] }] });
      else if (kind === "number") swap({ is: "number", number: "1" });
      else swap({ is: "expression", expression: value.is === "name" ? value.parts.join(".") : "" });
    };
    const now = value.is === "name" ? `name:${value.parts.join(".")}` : value.is === "fold" ? `fold:${value.fold}` : value.is === "position" ? `position:${value.position}` : value.is === "call" ? value.call : value.is;
    const other = ["expression", t("builder-kind-expression")];
    let groups;
    if (inEvent) {
      const own = findEvent(vocabulary, context.event)?.properties ?? [];
      const built = Object.keys(OF_EVENT).filter((n) => !own.some((p) => p.name === n));
      groups = [
        [t("builder-group-properties"), own.map((p) => [`name:${p.name}`, propertyName(p.name)])],
        [t("builder-group-of-event"), built.map((n) => [`name:${n}`, propertyName(n)])],
        [t("builder-group-other"), [other]],
      ];
    } else {
      const age = vocabulary.traits.some((x) => x.name === "birth_date") && !vocabulary.traits.some((x) => x.name === "age") ? [["name:age", traitName("age")]] : [];
      groups = [
        [t("builder-group-behaviour"), FOLDS.map((f) => [`fold:${f}`, foldName(f)])],
        [t("builder-group-traits"), [...age, ...vocabulary.traits.map((x) => [`name:${x.name}`, traitName(x.name)])]],
        [t("builder-group-measures"), vocabulary.measures.map((m) => [`name:${m.id}`, nameOf(m)])],
        [t("builder-group-partitions"), vocabulary.partitions.map((p) => [`name:${p.id}`, nameOf(p)])],
        [t("builder-group-other"), [["position:quintile", t("builder-position-quintile")], ["position:percentile", t("builder-position-percentile")], ["prefers", t("builder-kind-prefers")], ...(right ? [["number", t("builder-kind-number")]] : []), other]],
      ];
    }
    const what = (shown = now) => choice(t("builder-subject"), `${id}-what`, groups, shown, pick);
    switch (value.is) {
      case "fold": return folded(edit, id, value, what());
      case "name": {
        const known = groups.some(([, options]) => options.some(([v]) => v === now));
        return [known || value.parts.join("") === "" ? what(value.parts.join("") === "" ? "" : now) : [what("name:"), input(t("builder-name"), `${id}-name`, value.parts.join("."), (v) => { value.parts = v.split("."); edit.typed(); }, { className: "middle" })]].flat();
      }
      case "position": {
        const inner = subject(edit, `${id}-x`, value.value, context, (v) => { value.value = v; });
        return [what(), el("span", { className: "inner" }, ...inner), among(edit, id, value, context)];
      }
      case "funnel": return [el("span", { className: "word" }, t("builder-kind-funnel")), steps(edit, id, value)];
      case "call":
        if (value.call === "predict") return [el("span", { className: "word" }, t("builder-kind-predict")), input(t("builder-name"), `${id}-model`, value.args[0]?.parts?.join(".") ?? "", (v) => { value.args = [{ is: "name", parts: [v] }]; edit.typed(); }, { className: "middle" })];
        return value.call === "prefers" ? [what()] : [el("code", {}, value.call)];
      case "expression":
        return [what(), input(t("builder-kind-expression"), `${id}-expression`, value.expression, (v) => { value.expression = v; edit.typed(); }, { className: "long code", placeholder: "sum(order.total) / 2" })];
      default: return right ? constant(edit, id, value, value, context, set) : [el("code", {}, value.text ?? value.number ?? value.duration ?? "")];
    }
  }

  function eventChoice(edit, id, event, quoted, set) {
    const { vocabulary } = edit;
    const options = vocabulary.events.map((e) => [e.quoted ? `"${e.name}` : e.name, e.quoted ? e.name : eventName(e.name)]);
    options.push(["any", eventName("any")]);
    const give = (v) => { const own = v.startsWith('"'); set(own ? v.slice(1) : v, own); edit.rebuilt(id); };
    return choice(t("builder-event"), id, [["", options]], quoted ? `"${event}` : event, give);
  }

  /** `count(order where …, last 30d)` */
  function folded(edit, id, fold, what) {
    const { vocabulary } = edit;
    const windows = windowsOf(edit, id, fold.windows, fold.fold === "streak", UNWINDOWED.includes(fold.fold));
    if (fold.of.is !== "name") {
      const text = input(t("builder-kind-expression"), `${id}-of`, fold.of.expression ?? fold.of.number ?? "", (v) => { fold.of = { is: "expression", expression: v }; edit.typed(); }, { className: "long code" });
      return [...sentence("builder-say-fold", { window: windows.fields, event: text, fold: what }), windows.more];
    }
    const [event, ...property] = fold.of.parts;
    const setEvent = (name, quoted) => {
      const keeps = findEvent(vocabulary, name)?.properties.some((p) => p.name === property.join("."));
      fold.of = { is: "name", parts: [name, ...(OF_PROPERTY.includes(fold.fold) ? (keeps ? property : [firstNumber(vocabulary, name, fold.fold)]) : [])], quoted };
    };
    const parts = { window: windows.fields, event: eventChoice(edit, `${id}-event`, event, fold.of.quoted, setEvent), fold: what };
    if (OF_PROPERTY.includes(fold.fold) || property.length) {
      const own = findEvent(vocabulary, event)?.properties ?? [];
      parts.property = choice(t("builder-property"), `${id}-property`, [["", own.map((p) => [p.name, propertyName(p.name)])]], property.join("."), (v) => { fold.of.parts = [event, ...v.split(".")]; edit.rebuilt(`${id}-property`); });
      return [...sentence("builder-say-fold-of", parts), windows.more, ...where(edit, id, fold, event)];
    }
    return [...sentence("builder-say-fold", parts), windows.more, ...where(edit, id, fold, event)];
  }

  /** The property that a sum is most likely meant of. */
  function firstNumber(vocabulary, event, fold) {
    const own = findEvent(vocabulary, event)?.properties ?? [];
    const wanted = ["distinct", "first", "last", "mode"].includes(fold) ? "text" : "number";
    return (own.find((p) => p.name === "total" && wanted === "number") ?? own.find((p) => p.type === wanted) ?? own[0])?.name ?? "";
  }

  /** Conditions on each event, or the button that begins them. */
  function where(edit, id, holder, event) {
    if (!holder.where) {
      return [el("button", { type: "button", className: "link add-where", "data-f": `${id}-where`, onclick: () => {
        holder.where = { is: "all", parts: [edit.fresh("event", { event })] };
        edit.rebuilt(`${id}-where-add`);
      } }, t("builder-add-where"))];
    }
    if (!["all", "any"].includes(holder.where.is)) holder.where = { is: "all", parts: [holder.where] };
    return [el("div", { className: "where" }, edit.group(holder.where, { event, label: t("builder-where"), empty: () => { delete holder.where; } }))];
  }

  /** The part of everybody that a rank looks at. */
  function among(edit, id, holder, context) {
    if (!holder.among) {
      return el("button", { type: "button", className: "link add-where", "data-f": `${id}-among`, onclick: () => {
        holder.among = { is: "all", parts: [edit.fresh("behaviour", context)] };
        edit.rebuilt(`${id}-among-add`);
      } }, t("builder-add-among"));
    }
    if (!["all", "any"].includes(holder.among.is)) holder.among = { is: "all", parts: [holder.among] };
    return el("div", { className: "where" }, edit.group(holder.among, { label: t("builder-among"), empty: () => { delete holder.among; } }));
  }

  const WINDOWS = {
    last: () => ({ is: "last", duration: "30d" }),
    between: () => ({ is: "between", from: "30d", until: "7d" }),
    last_count: () => ({ is: "last_count", count: "5" }),
    since: () => ({ is: "since", moment: new Date().toISOString().slice(0, 10) }),
    before: () => ({ is: "before", moment: new Date().toISOString().slice(0, 10) }),
    since_last: () => ({ is: "since_last", event: { event: "cart" } }),
    during: () => ({ is: "during", occasion: "chuseok", within: "7d" }),
  };
  /** Seldom asked of a window only. */
  const UNWINDOWED = ["since", "age_of", "first_at", "last_at"];
  const PERIODS = ["day", "week", "month", "quarter", "year"].flatMap((p) => [`${p}0`, `${p}1`]);

  /** The windows of an aggregate, and the button for one more. */
  function windowsOf(edit, id, windows, streak = false, seldom = false) {
    const kinds = [["", ["last", "between", "last_count"].map((k) => [k, t(`builder-window-${k}`)])],
      [t("builder-group-calendar"), [...PERIODS.map((p) => [p, t(`builder-period-${p}`)]), ...["since", "before", "since_last", "during"].map((k) => [k, t(`builder-window-${k}`)])]]];
    const fresh = (k) => WINDOWS[k]?.() ?? { is: "period", period: k.slice(0, -1), back: Number(k.at(-1)) };
    const one = (w, i) => {
      const own = `${id}-w${i}`;
      if (w.is === "by") return el("span", { className: "window" }, choice(t("builder-window"), own, [["", ["day", "week", "month"].map((p) => [p, t(`builder-by-${p}`)])]], w.period, (v) => { w.period = v; edit.typed(); }));
      const now = w.is === "period" ? `${w.period}${w.back}` : w.is;
      const set = (v) => { v === "none" ? windows.splice(i, 1) : windows.splice(i, 1, fresh(v)); edit.rebuilt(own); };
      const kind = choice(t("builder-window"), own, [["", [["none", t("builder-window-none")]]], ...kinds], now, set);
      return el("span", { className: "window" }, ...windowFields(edit, own, w, kind));
    };
    const fields = windows.map(one);
    const windowed = windows.some((w) => w.is !== "by");
    if (!windowed && !seldom) {
      fields.push(el("span", { className: "window" }, choice(t("builder-window"), `${id}-w${windows.length}`, [["", [["none", t("builder-window-none")]]], ...kinds], "none", (v) => { windows.push(fresh(v)); edit.rebuilt(`${id}-w${windows.length - 1}`); })));
    }
    if (streak && !windows.some((w) => w.is === "by")) {
      windows.push({ is: "by", period: "week" });
      return windowsOf(edit, id, windows, true);
    }
    const more = (windowed || seldom) && windows.length < 3
      ? el("button", { type: "button", className: "link add-where", "data-f": `${id}-more`, onclick: () => { windows.push(windowed ? WINDOWS.last_count() : WINDOWS.last()); edit.rebuilt(`${id}-w${windows.length - 1}`); } }, t("builder-add-window"))
      : null;
    return { fields, more };
  }

  function windowFields(edit, id, w, kind) {
    const typed = (change) => (v) => { change(v); edit.typed(); };
    switch (w.is) {
      case "last": return sentence("builder-say-last", { kind, length: duration(edit, t("builder-length"), `${id}-d`, w.duration, (v) => { w.duration = v; }) });
      case "last_count": return [kind, input(t("builder-number"), `${id}-n`, w.count, typed((v) => { w.count = v; }), { inputmode: "numeric", className: "short" }), el("span", { className: "word" }, t("builder-times-count"))];
      case "between": return sentence("builder-say-between-ago", {
        kind, from: duration(edit, t("builder-from"), `${id}-a`, w.from, (v) => { w.from = v; }), until: duration(edit, t("builder-until"), `${id}-b`, w.until, (v) => { w.until = v; }) });
      case "since": case "before": return sentence(`builder-say-${w.is}`, { kind, moment: moment(edit, t("builder-date"), `${id}-m`, w.moment, (v) => { w.moment = v; }) });
      case "since_last": return [...sentence("builder-say-since-last", { kind, event: eventChoice(edit, `${id}-e`, w.event.event, w.event.quoted, (e, q) => { w.event = { event: e, quoted: q }; }) }), ...(w.event.where ? where(edit, `${id}-e`, w.event, w.event.event) : [])];
      case "during": return [kind, occasion(edit, id, w.occasion, (v) => { w.occasion = v; }), ...sentence("builder-say-within", { length: duration(edit, t("builder-within"), `${id}-d`, w.within, (v) => { w.within = v; }, true) })];
      default: return [kind];
    }
  }

  const occasion = (edit, id, value, set) =>
    choice(t("builder-occasion"), `${id}-o`, [["", edit.vocabulary.occasions.map((o) => [o.id, nameOf(o)])]], value, (v) => { set(v); edit.typed(); });

  /** Steps that follow one another. */
  function steps(edit, id, s) {
    const list = el("ol", { className: "steps" });
    s.steps.forEach((step, i) => {
      const own = `${id}-s${i}`;
      const move = (to) => { const [x] = s.steps.splice(i, 1); s.steps.splice(to, 0, x); if (s.steps[0]) { s.steps[0].within = ""; s.steps[0].without = []; } edit.rebuilt(`${id}-s${to}-e`); };
      const item = el("li", {}, eventChoice(edit, `${own}-e`, step.event.event, step.event.quoted, (e, q) => { step.event = { event: e, quoted: q }; }));
      if (i > 0) item.append(...sentence("builder-say-step-in", { length: duration(edit, t("builder-step-in"), `${own}-in`, step.within, (v) => { step.within = v; }, true) }));
      step.without?.forEach((w, j) => item.append(el("span", { className: "window" },
        ...sentence("builder-say-without", { event: eventChoice(edit, `${own}-x${j}`, w.event, w.quoted, (e, q) => { step.without[j] = { event: e, quoted: q }; }) }),
        ...where(edit, `${own}-x${j}`, w, w.event), edit.button("remove", `${own}-x${j}-no`, () => { step.without.splice(j, 1); edit.rebuilt(`${own}-e`); }))));
      item.append(...where(edit, `${own}-e`, step.event, step.event.event));
      if (i > 0) item.append(el("button", { type: "button", className: "link add-where", "data-f": `${own}-add`, onclick: () => { (step.without ??= []).push({ event: "refund" }); edit.rebuilt(`${own}-x${step.without.length - 1}`); } }, t("builder-add-without")));
      item.append(el("span", { className: "tools" },
        i > 0 && edit.button("up", `${own}-up`, () => move(i - 1)), i + 1 < s.steps.length && edit.button("down", `${own}-down`, () => move(i + 1)),
        s.steps.length > 1 && edit.button("remove", `${own}-no`, () => { s.steps.splice(i, 1); edit.rebuilt(`${id}-add`); })));
      list.append(item);
    });
    const add = el("button", { type: "button", className: "small", "data-f": `${id}-add`, onclick: () => { s.steps.push({ event: { event: "order" } }); edit.rebuilt(`${id}-s${s.steps.length - 1}-e`); } }, t("builder-add-step"));
    s.windows ??= [];
    const windows = windowsOf(edit, id, s.windows);
    return el("div", { className: "sequence" }, list, el("div", { className: "line" }, add,
      ...sentence("builder-say-steps-within", { length: duration(edit, t("builder-within"), `${id}-within`, s.within, (v) => { s.within = v; }, true) }),
      ...sentence("builder-say-by", { property: input(t("builder-by"), `${id}-by`, s.by ?? "", (v) => { s.by = v.trim(); edit.typed(); }, { className: "middle", placeholder: "product_id" }) }),
      ...windows.fields, windows.more));
  }

  Object.assign(builder, { choice, input, duration, constant, subject, fresh, eventChoice, where, among, windowsOf, occasion, steps, CHANNELS });
})();
