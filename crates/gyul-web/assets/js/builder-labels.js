// What things are called in the builder: words of the page, names of events and properties, types of values.
(() => {
  "use strict";
  const builder = (window.gyulBuilder ??= {});
  const source = document.getElementById("builder-words");
  const words = source ? JSON.parse(source.textContent) : {};
  const ko = document.documentElement.lang === "ko";

  /** A message with its parts put in. */
  const t = (name, parts = {}) => (words[name] ?? name).replace(/\{ \$(\w+) \}/g, (_, part) => parts[part] ?? "");

  /** An element: `el("p", { class: "x", onclick: f }, "text", child)`. */
  function el(tag, props = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name in node && !["list", "form", "type"].includes(name)) node[name] = value;
      else node.setAttribute(name === "className" ? "class" : name, value === true ? "" : value);
    }
    node.append(...children.filter((c) => c !== undefined && c !== null && c !== "" && c !== false));
    return node;
  }

  /** A message whose parts are elements: `{ $window }` is where `parts.window` goes. Parts that are nothing leave no gap. */
  function sentence(name, parts) {
    const out = [];
    for (const piece of (words[name] ?? name).split(/(\{ \$\w+ \})/)) {
      const slot = piece.match(/^\{ \$(\w+) \}$/);
      if (slot) {
        const part = parts[slot[1]];
        if (Array.isArray(part)) out.push(...part.filter(Boolean));
        else if (part) out.push(part);
      } else if (piece.trim()) out.push(el("span", { className: "word" }, piece.trim()));
    }
    return out;
  }

  const either = (own) => (ko ? own.name_ko || own.name_en : own.name_en || own.name_ko);
  const named = (list, id) => list?.find((x) => x.id === id);

  /** `우수 고객 (vip)` */
  const nameOf = (own) => (either(own) ? `${either(own)} (${own.id})` : own.id);

  const EVENTS = ["order", "item", "refund", "refunded_item", "view", "cart", "search", "checkout", "sent", "opened", "clicked", "review", "survey", "ticket", "login", "signup", "page", "any"];
  const eventName = (name) => (EVENTS.includes(name) ? t(`builder-event-${name}`) : name);

  const PROPERTIES = ["total", "price", "quantity", "category", "product_id", "channel", "coupon", "discount", "name", "gap", "nth", "hour", "weekday", "local_date", "source", "event", "ts", "campaign_id", "rating", "order_id", "items", "value", "brand", "query", "path", "currency"];
  const propertyName = (name) => (PROPERTIES.includes(name) ? `${t(`builder-prop-${name}`)} (${name})` : name);

  const TRAITS = ["age", "gender", "region", "city", "name", "email", "phone", "birth_date", "joined_at", "tags"];
  const traitName = (name) => (TRAITS.includes(name) ? `${t(`builder-trait-${name}`)} (${name})` : name);

  const FOLDS = ["count", "days", "sum", "avg", "min", "max", "distinct", "first", "last", "mode", "since", "age_of", "first_at", "last_at", "longest_gap", "average_gap", "streak", "share"];
  const OF_PROPERTY = ["sum", "avg", "min", "max", "distinct", "first", "last", "mode"];
  const foldName = (name) => (FOLDS.includes(name) ? t(`builder-fold-${name}`) : name);

  const SIGNS = { "=": "eq", "!=": "ne", ">=": "ge", ">": "gt", "<=": "le", "<": "lt", "starts with": "starts", "ends with": "ends" };
  const signName = (sign) => t(`builder-sign-${SIGNS[sign] ?? sign}`);

  const OF_EVENT = { gap: "duration", nth: "number", hour: "number", weekday: "weekday", local_date: "instant", ts: "instant", event: "text", channel: "text", source: "text" };
  const TYPE_OF_FOLD = { count: "number", days: "number", distinct: "number", streak: "number", share: "percent", since: "duration", age_of: "duration", longest_gap: "duration", average_gap: "duration", first_at: "instant", last_at: "instant" };

  const findEvent = (vocabulary, name, quoted) => vocabulary.events.find((e) => (quoted ? e.event === name : e.name === name && !e.quoted)) ?? vocabulary.events.find((e) => e.name === name || e.event === name);
  const findProperty = (vocabulary, event, name) => findEvent(vocabulary, event)?.properties.find((p) => p.name === name);

  /** What kind of value something is: decides which comparisons make sense and what stands on the other side. */
  function typeOf(value, context, vocabulary) {
    switch (value?.is) {
      case "name": {
        const name = value.parts.join(".");
        if (context.event !== undefined) return OF_EVENT[name] ?? findProperty(vocabulary, context.event, name)?.type ?? "text";
        if (name === "age") return "number";
        if (named(vocabulary.partitions, name)) return "class";
        return named(vocabulary.measures, name)?.type ?? vocabulary.traits.find((x) => x.name === name)?.type ?? "text";
      }
      case "fold": {
        if (TYPE_OF_FOLD[value.fold]) return TYPE_OF_FOLD[value.fold];
        if (value.of.is !== "name") return "number";
        const [event, ...property] = value.of.parts;
        return findProperty(vocabulary, event, property.join("."))?.type ?? (["first", "last", "mode"].includes(value.fold) ? "text" : "number");
      }
      case "call": return value.call === "prefers" ? "channel" : "number";
      case "duration": case "percent": case "number": case "text": case "bool": return value.is;
      case "date": case "instant": return "instant";
      default: return "number";
    }
  }

  /** Values that were seen for the left side, as suggestions. */
  function seen(value, context, vocabulary) {
    if (value?.is === "name" && context.event !== undefined) return findProperty(vocabulary, context.event, value.parts.join("."))?.values ?? [];
    if (value?.is === "name") return vocabulary.traits.find((x) => x.name === value.parts.join("."))?.values ?? [];
    if (value?.is === "fold" && value.of.is === "name") return findProperty(vocabulary, value.of.parts[0], value.of.parts.slice(1).join("."))?.values ?? [];
    return [];
  }

  Object.assign(builder, { t, el, sentence, either, named, nameOf, eventName, propertyName, traitName, foldName, signName, typeOf, seen, findEvent, FOLDS, OF_PROPERTY, OF_EVENT, EVENTS, ko });
})();
