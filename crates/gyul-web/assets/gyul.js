/* Gyul's tracker: <script async src="https://HOST/gyul.js" data-key="WRITE_KEY"></script>
 * No cookies; before gyul.consent(true) nothing is kept in the browser. */
(function (w, d) {
  var me = d.currentScript || d.querySelector('script[data-key]');
  if (!me || (w.gyul && w.gyul.page)) return;
  var key = me.dataset.key, host = me.dataset.host || new URL(me.src).origin, queued = (w.gyul && w.gyul.q) || [];
  var n = navigator, kept = 0, off = 0, seen, since, path, id;

  function uuid() {
    if (crypto.randomUUID) return crypto.randomUUID();
    return [].map.call(crypto.getRandomValues(new Uint8Array(16)), function (b) { return (b + 256).toString(16).slice(1); }).join('');
  }
  function store(on) {
    try { if (on) localStorage.setItem('gyul', JSON.stringify(id)); else localStorage.removeItem('gyul'); } catch (e) { /* forbidden or full */ }
  }
  try { id = JSON.parse(localStorage.getItem('gyul')); } catch (e) { /* forbidden */ }
  if (id && id.a) kept = 1; else id = { a: uuid() };

  function context() {
    var l = location, c = {}, out = {
      library: { name: 'gyul.js', version: '1' }, locale: n.language, userAgent: n.userAgent,
      page: { path: l.pathname, search: l.search, title: d.title, url: l.href, referrer: d.referrer }
    };
    new URLSearchParams(l.search).forEach(function (v, k) {
      if (!k.indexOf('utm_')) { out.campaign = c; c[k === 'utm_campaign' ? 'name' : k.slice(4)] = v; }
    });
    return out;
  }
  function send(call, m, last) {
    if (off) return;
    m.messageId = uuid(); m.anonymousId = id.a; m.userId = id.u;
    m.timestamp = new Date(); m.context = context(); m.writeKey = key;
    post(host + '/v1/' + call, m, last, 0);
  }
  function post(url, m, last, tries) {
    m.sentAt = new Date();
    var body = JSON.stringify(m);
    if (last && n.sendBeacon && n.sendBeacon(url, body)) return;
    function again() { if (tries < 5) setTimeout(post, 1e3 * Math.pow(3, tries), url, m, 0, tries + 1); }
    fetch(url, { method: 'POST', body: body, keepalive: body.length < 6e4, credentials: 'omit', headers: { 'Content-Type': 'text/plain' } })
      .then(function (r) { if (r.status === 429 || r.status > 499) again(); }, again);
  }

  /* The seconds for which the page was seen are told once, when it goes. */
  function watch() {
    var t = Date.now();
    if (since) seen += t - since;
    since = d.hidden ? 0 : t;
  }
  function leave() {
    watch();
    if (path) send('t', { type: 'track', event: 'Page Left', properties: { path: path, seconds: Math.round(seen / 1e3) } }, 1);
    path = 0;
  }
  d.addEventListener('visibilitychange', watch);
  w.addEventListener('pagehide', leave);
  w.addEventListener('pageshow', function (e) { if (e.persisted) g.page(); });

  function track(event, props) { send('t', { type: 'track', event: event, properties: props || {} }); }
  var g = w.gyul = {
    track: track,
    page: function (name, props) {
      leave(); seen = 0; path = location.pathname;
      send('p', { type: 'page', name: name, properties: Object.assign(context().page, props) });
    },
    identify: function (user, traits) {
      if (user && typeof user === 'object') { traits = user; user = 0; }
      if (user) id.u = '' + user;
      if (kept) store(1);
      send('i', { type: 'identify', traits: traits || {} });
    },
    product: track.bind(0, 'Product Viewed'),
    cart: track.bind(0, 'Product Added'),
    order: track.bind(0, 'Order Completed'),
    consent: function (yes) { kept = yes; store(yes); },
    /* Somebody else sits down. */
    reset: function () { id = { a: uuid() }; if (kept) store(1); },
    stop: function (yes) { off = yes !== false; }
  };
  if (me.dataset.page !== 'off') g.page();
  queued.forEach(function (c) { if (g[c[0]]) g[c[0]].apply(0, [].slice.call(c, 1)); });
})(window, document);
