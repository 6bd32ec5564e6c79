'use strict';
// Shows /api/openapi.json as forms. The key stays in this page's memory.
const $ = (id) => document.getElementById(id);
const el = (tag, props, ...children) => {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children);
  return e;
};
let lang = navigator.language.startsWith('ko') ? 'ko' : 'en';
let spec = null;
const words = {
  ko: { send: '보내기', roles: '역할', body: '본문', answer: '응답', anyone: '누구나' },
  en: { send: 'Send', roles: 'Roles', body: 'Body', answer: 'Answer', anyone: 'anyone' },
};

function resolve(schema, depth = 0) {
  if (schema && schema.$ref && depth < 6) return resolve(spec.components.schemas[schema.$ref.split('/').pop()], depth + 1);
  return schema || {};
}

// A body to start from.
function example(schema, depth = 0) {
  const s = resolve(schema);
  if (depth > 4) return null;
  if (s.enum) return s.enum[0];
  const type = Array.isArray(s.type) ? s.type[0] : s.type;
  if (s.properties) return Object.fromEntries(Object.entries(s.properties).map(([k, v]) => [k, example(v, depth + 1)]));
  return { string: '', integer: 0, number: 0, boolean: false, array: [], object: {} }[type] ?? null;
}

function form(path, method, op) {
  const t = words[lang], f = el('form');
  const inputs = op.parameters.map((p) => {
    const input = el('input', { name: p.name, required: p.required, autocomplete: 'off' });
    f.append(el('label', {}, p.name + (p.required ? ' *' : ''), input, el('small', { textContent: p.description || '' })));
    return [p, input];
  });
  const media = op.requestBody && Object.keys(op.requestBody.content)[0];
  let body = null;
  if (media === 'application/octet-stream') body = el('input', { type: 'file' });
  else if (media) {
    const start = example(op.requestBody.content[media].schema);
    body = el('textarea', { spellcheck: false, value: media === 'application/json' ? JSON.stringify(start, null, 2) : '' });
  }
  if (body) f.append(el('label', {}, `${t.body} (${media})`, body));
  const out = el('pre', { hidden: true });
  out.setAttribute('aria-live', 'polite');
  const roles = op['x-roles'] ? op['x-roles'].join(', ') : t.anyone;
  f.append(el('small', { textContent: `${t.roles}: ${roles}` }), el('div', {}, el('button', { textContent: t.send })), out);
  f.onsubmit = async (e) => {
    e.preventDefault();
    let url = path;
    const query = new URLSearchParams(), headers = { 'Accept-Language': lang };
    for (const [p, input] of inputs) {
      if (!input.value) continue;
      if (p.in === 'path') url = url.replace(`{${p.name}}`, encodeURIComponent(input.value));
      else if (p.in === 'query') query.set(p.name, input.value);
      else headers[p.name] = input.value;
    }
    if ($('key').value) headers.Authorization = `Bearer ${$('key').value}`;
    if (media) headers['Content-Type'] = media;
    const init = { method: method.toUpperCase(), headers };
    if (body) init.body = body.files ? body.files[0] : body.value;
    out.hidden = false;
    out.textContent = '…';
    try {
      if (!headers.Authorization && method !== 'get') {
        const me = await fetch('/api/v1/me');
        if (me.ok) headers['X-CSRF-Token'] = (await me.json()).csrf || '';
      }
      const r = await fetch(url + (query.size ? `?${query}` : ''), init);
      const head = `${r.status} ${r.statusText}\n\n`;
      if ((r.headers.get('content-type') || '').startsWith('text/event-stream')) {
        out.textContent = head;
        const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let part; !(part = await reader.read()).done && out.isConnected; ) out.textContent = (out.textContent + part.value).slice(-20000);
        return;
      }
      const text = await r.text();
      try { out.textContent = head + JSON.stringify(JSON.parse(text), null, 2); } catch { out.textContent = head + text; }
    } catch (err) {
      out.textContent = String(err);
    }
  };
  return f;
}

function show() {
  document.documentElement.lang = lang;
  for (const e of document.querySelectorAll('[data-ko]')) e.textContent = e.dataset[lang];
  const groups = new Map(), wanted = $('filter').value.toLowerCase();
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const [method, op] of Object.entries(item)) {
      const says = lang === 'ko' ? op['x-summary-ko'] : op.summary;
      if (!`${method} ${path} ${says} ${op.operationId}`.toLowerCase().includes(wanted)) continue;
      const d = el('details', {}, el('summary', {}, el('span', { className: 'method', textContent: method.toUpperCase() }), el('code', { textContent: path }), el('small', { textContent: says })));
      d.addEventListener('toggle', () => { if (d.open && d.children.length === 1) d.append(form(path, method, op)); });
      const tag = op.tags[0];
      groups.set(tag, [...(groups.get(tag) || []), d]);
    }
  }
  $('list').replaceChildren(...[...groups].map(([tag, items]) => el('section', {}, el('h2', { textContent: tag }), ...items)));
}

$('lang').value = lang;
$('lang').onchange = (e) => { lang = e.target.value; show(); };
$('filter').oninput = show;
fetch('/api/openapi.json').then((r) => r.json()).then((s) => { spec = s; show(); });
