// Who enters and leaves, as it happens: the newest few, and how many since the page was opened.
(() => {
  "use strict";
  const { count, words } = window.gyul;
  const feed = document.getElementById("feed");
  const say = document.getElementById("live-words");
  if (!feed || !say) return;
  const { names, causes, entered, left } = JSON.parse(say.textContent);
  const state = document.getElementById("live-state");
  const sums = { entered: document.getElementById("live-entered"), left: document.getElementById("live-left") };
  const seen = { entered: 0, left: 0 };
  const SHOWN = 9;
  let waiting = [];

  const label = (c) => (c.kind === "partition" && c.class ? `${names[c.id] ?? c.id} · ${names[`${c.id}/${c.class}`] ?? c.class}` : names[c.id] ?? c.id);

  function line(c) {
    const li = document.createElement("li");
    li.className = c.moved;
    const who = document.createElement("a");
    who.href = `/customers/${encodeURIComponent(c.customer)}`;
    who.textContent = c.customer;
    const where = document.createElement("a");
    where.href = `/${c.kind === "partition" ? "partitions" : "segments"}/${encodeURIComponent(c.id)}`;
    where.textContent = label(c);
    const what = document.createElement("span");
    what.className = "what";
    what.textContent = c.moved === "entered" ? entered : left;
    const why = document.createElement("small");
    why.textContent = causes[c.cause] ?? c.cause;
    li.append(who, " ", where, " ", what, " ", why);
    return li;
  }

  // Many changes a second are drawn four times a second, and only those that stay.
  function draw() {
    const some = waiting.splice(0);
    if (!some.length) return;
    sums.entered.textContent = count(seen.entered);
    sums.left.textContent = count(seen.left);
    for (const c of some.slice(-SHOWN)) feed.prepend(line(c));
    while (feed.children.length > SHOWN) feed.lastElementChild.remove();
  }
  setInterval(draw, 250);

  const source = new EventSource("/v1/changes");
  source.onopen = () => { state.hidden = true; };
  source.onerror = () => { state.hidden = false; state.textContent = words.lost; };
  const take = (e) => {
    const c = JSON.parse(e.data);
    if (!c.moved) return;
    seen[c.moved] += 1;
    waiting.push(c);
    if (waiting.length > 500) waiting = waiting.slice(-SHOWN);
  };
  source.onmessage = take;
  source.addEventListener("entered", take);
  source.addEventListener("left", take);
  source.addEventListener("change", take);
})();
