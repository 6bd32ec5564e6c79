/* Gyul's tracker. <script async src="https://HOST/gyul.js" data-key="WRITE_KEY"></script>
 * gyul.consent(true) keeps the visitor's id in local storage; before, nothing is kept. No cookies. */
(function (w, d) {
  'use strict';
  var me = d.currentScript || d.querySelector('script[data-key][src*="gyul.js"]');
  if (!me || (w.gyul && w.gyul.loaded)) return;
  var key = me.getAttribute('data-key'), host = me.getAttribute('data-host') || new URL(me.src).origin;
  var waiting = (w.gyul && w.gyul.q) || [], STORE = 'gyul', n = w.navigator, kept = false, off = false;

  function uuid() {
    if (w.crypto && crypto.randomUUID) return crypto.randomUUID();
    var b = crypto.getRandomValues(new Uint8Array(16)), s = '';
    for (var i = 0; i < 16; i++) s += (b[i] + 256).toString(16).slice(1);
    return s;
  }
  function load() { try { return JSON.parse(localStorage.getItem(STORE)); } catch (e) { return null; } }
  function save() { if (kept) try { localStorage.setItem(STORE, JSON.stringify(id)); } catch (e) { /* full or forbidden */ } }
  var id = load();
  if (id && id.a) kept = true; else id = { a: uuid() };

  function context() {
    var l = w.location, q = new URLSearchParams(l.search), c = {}, any = 0;
    q.forEach(function (v, k) {
      if (k.indexOf('utm_') === 0) { any = 1; k = k.slice(4); c[k === 'campaign' ? 'name' : k] = v; }
    });
    var out = {
      library: { name: 'gyul.js', version: '1' }, locale: n.language, userAgent: n.userAgent,
      page: { path: l.pathname, search: l.search, title: d.title, url: l.href, referrer: d.referrer }
    };
    if (any) out.campaign = c;
    return out;
  }
  function send(path, m, last) {
    if (off) return m;
    m.messageId = uuid(); m.anonymousId = id.a; if (id.u) m.userId = id.u;
    m.timestamp = m.sentAt = new Date().toISOString(); m.context = context(); m.writeKey = key;
    var url = host + '/v1/' + path, body = JSON.stringify(m);
    if (last && n.sendBeacon && n.sendBeacon(url, body)) return m;
    post(url, m, body, 0);
    return m;
  }
  function post(url, m, body, tries) {
    function again() {
      if (tries > 4) return;
      setTimeout(function () { m.sentAt = new Date().toISOString(); post(url, m, JSON.stringify(m), tries + 1); }, 1000 * Math.pow(3, tries));
    }
    fetch(url, { method: 'POST', body: body, keepalive: body.length < 6e4, credentials: 'omit', headers: { 'Content-Type': 'text/plain' } })
      .then(function (r) { if (r.status === 429 || r.status > 499) again(); }, again);
  }

  /* Seconds that the page was seen, told once when it goes. */
  var seen = 0, since = d.visibilityState === 'visible' ? Date.now() : 0, shown = null, told = true;
  function pause() { if (since) { seen += Date.now() - since; since = 0; } }
  function leave() {
    pause();
    if (told || !shown) return;
    told = true;
    send('t', { type: 'track', event: 'Page Left', properties: { path: shown, seconds: Math.round(seen / 1000) } }, true);
  }
  d.addEventListener('visibilitychange', function () {
    if (d.visibilityState === 'hidden') pause(); else since = since || Date.now();
  });
  w.addEventListener('pagehide', leave);
  w.addEventListener('pageshow', function (e) { if (e.persisted) api.page(); });

  var api = w.gyul = {
    loaded: true,
    page: function (name, props) {
      leave();
      seen = 0; since = d.visibilityState === 'visible' ? Date.now() : 0; shown = w.location.pathname; told = false;
      var p = Object.assign({}, context().page, props);
      return send('p', { type: 'page', name: name || undefined, properties: p });
    },
    track: function (event, props) { return send('t', { type: 'track', event: event, properties: props || {} }); },
    identify: function (user, traits) {
      if (user && typeof user === 'object') { traits = user; user = null; }
      if (user) { id.u = String(user); save(); }
      return send('i', { type: 'identify', traits: traits || {} });
    },
    product: function (p) { return api.track('Product Viewed', p); },
    cart: function (p) { return api.track('Product Added', p); },
    order: function (p) { return api.track('Order Completed', p); },
    consent: function (yes) {
      kept = !!yes;
      if (kept) save(); else try { localStorage.removeItem(STORE); } catch (e) { /* forbidden */ }
    },
    /* Another person sits down: a new visitor. */
    reset: function () { id = { a: uuid() }; save(); },
    stop: function (yes) { off = yes !== false; }
  };
  if (me.getAttribute('data-page') !== 'off') api.page();
  waiting.forEach(function (c) { if (api[c[0]]) api[c[0]].apply(null, [].slice.call(c, 1)); });
})(window, document);
