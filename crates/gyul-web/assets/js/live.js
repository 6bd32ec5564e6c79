// Who enters and leaves, as it happens: the newest few customers, and how many changes since the page was opened.
(() => {
  "use strict";
  const { count, words } = window.gyul;
  const feed = document.getElementById("feed");
  const say = document.getElementById("live-words");
  if (!feed || !say) return;
  const { names, causes, entered, left, quiet } = JSON.parse(say.textContent);
  const state = document.getElementById("live-state");
  const sums = { entered: document.getElementById("live-entered"), left: document.getElementById("live-left") };
  const seen = { entered: 0, left: 0 };
  const SHOWN = 6;
  const MOST = 3;
  let waiting = [];
  // Names are asked for, for those who are shown: the stream names nobody.
  const called = new Map();
  let asking = false;

  async function name() {
    const shown = [...feed.querySelectorAll(".who")];
    const ids = [...new Set(shown.map((a) => a.dataset.customer))].filter((id) => !called.has(id) && !id.includes(","));
    if (asking || !ids.length) return;
    asking = true;
    try {
      const answer = await fetch(`/start/names?ids=${ids.map(encodeURIComponent).join(",")}`);
      const found = answer.ok ? await answer.json() : {};
      for (const id of ids) called.set(id, found[id] ?? id);
      if (called.size > 1000) called.clear();
    } catch {
      // The ids stand; the next customer asks again.
    }
    asking = false;
    for (const a of feed.querySelectorAll(".who")) a.textContent = called.get(a.dataset.customer) ?? a.dataset.customer;
  }

  const label = (c) => (c.kind === "partition" && c.class ? `${names[c.id] ?? c.id} · ${names[`${c.id}/${c.class}`] ?? c.class}` : names[c.id] ?? c.id);

  /** Where somebody went, as links; the first of many. */
  function places(list, sign) {
    const p = document.createElement("p");
    p.className = sign === "+" ? "in" : "out";
    const mark = document.createElement("span");
    mark.textContent = sign === "+" ? entered : left;
    p.append(mark);
    for (const c of list.slice(0, MOST)) {
      const where = document.createElement("a");
      where.href = `/${c.kind === "partition" ? "partitions" : "segments"}/${encodeURIComponent(c.id)}`;
      where.textContent = label(c);
      p.append(c === list[0] ? " " : ", ", where);
    }
    if (list.length > MOST) p.append(` +${list.length - MOST}`);
    return p;
  }

  /** All that happened to one customer at once. */
  function line(customer, some) {
    const li = document.createElement("li");
    const who = document.createElement("a");
    who.className = "who";
    who.href = `/customers/${encodeURIComponent(customer)}`;
    who.dataset.customer = customer;
    who.textContent = called.get(customer) ?? customer;
    const why = document.createElement("small");
    why.textContent = causes[some[0].cause] ?? some[0].cause;
    li.append(who, why);
    // Segments first: they were made for something.
    const order = (list) => list.sort((a, b) => (a.kind === "segment" ? 0 : 1) - (b.kind === "segment" ? 0 : 1));
    const [came, went] = [order(some.filter((c) => c.moved === "entered")), order(some.filter((c) => c.moved === "left"))];
    if (came.length) li.append(places(came, "+"));
    if (went.length) li.append(places(went, "-"));
    return li;
  }

  // Many changes a second are drawn four times a second, and only those that stay.
  function draw() {
    const some = waiting.splice(0);
    if (!some.length) return;
    sums.entered.textContent = count(seen.entered);
    sums.left.textContent = count(seen.left);
    state.hidden = true;
    const by = new Map();
    for (const c of some) {
      if (!by.has(c.customer)) by.set(c.customer, []);
      by.get(c.customer).push(c);
    }
    for (const [customer, changes] of [...by].slice(-SHOWN)) feed.prepend(line(customer, changes));
    while (feed.children.length > SHOWN) feed.lastElementChild.remove();
    name();
  }
  setInterval(draw, 250);

  const source = new EventSource("/v1/changes");
  // Until somebody moves, the card says what would.
  source.onopen = () => { state.hidden = seen.entered + seen.left > 0; state.textContent = quiet; };
  source.onerror = () => { state.hidden = false; state.textContent = words.lost; };
  const take = (e) => {
    const c = JSON.parse(e.data);
    if (!c.moved) return;
    seen[c.moved] += 1;
    waiting.push(c);
    if (waiting.length > 5000) waiting = waiting.slice(-500);
  };
  source.onmessage = take;
  source.addEventListener("entered", take);
  source.addEventListener("left", take);
  source.addEventListener("change", take);
})();
