// A shop's page in a real browser: @segment/analytics-next, and Gyul's own tracker.
import { chromium } from 'playwright-core';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import assert from 'node:assert';

const { GYUL_URL: url, GYUL_KEY: key } = process.env;
const umd = new URL('node_modules/@segment/analytics-next/dist/umd/', import.meta.url);
const page = `<!doctype html><title>shop</title><script>window.gyul = { q: [['track', 'Queued Event', {}]] }</script>
<script async src="${url}/gyul.js" data-key="${key}"></script><script src="/umd/index.js"></script>`;
const shop = createServer(async (request, response) => {
  const path = new URL(request.url, 'http://shop').pathname;
  if (path === '/') return response.setHeader('content-type', 'text/html').end(page);
  const file = path.startsWith('/umd/') && (await readFile(new URL(path.slice(5), umd)).catch(() => null));
  response.statusCode = file ? 200 : 404;
  response.setHeader('content-type', 'text/javascript').end(file || '');
});
await new Promise((listening) => shop.listen(0, '127.0.0.1', listening));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const tab = await browser.newPage();
  const errors = [];
  tab.on('pageerror', (e) => errors.push(e.message));
  await tab.goto(`http://127.0.0.1:${shop.address().port}/?utm_source=kakao&utm_campaign=autumn`);
  await tab.waitForFunction(() => window.gyul && window.gyul.page && window.AnalyticsNext);
  assert.equal(await tab.evaluate(() => localStorage.getItem('gyul')), null, 'nothing is kept before consent');
  await tab.evaluate(
    async ([url, key]) => {
      const host = `${url.replace('http://', '')}/v1`;
      const settings = { integrations: { 'Segment.io': { apiKey: key, apiHost: host, protocol: 'http' } } };
      const [analytics] = await window.AnalyticsNext.AnalyticsBrowser.load({ writeKey: key, cdnSettings: settings });
      await analytics.track('Browser Event', { n: 1 });
      await analytics.page();
      await analytics.identify('browser-user', { plan: 'free' });
      window.gyul.track('Tracker Event', { n: 1 });
      window.gyul.identify('tracker-user', { plan: 'free' });
      window.gyul.consent(true);
    },
    [url, key],
  );
  assert.notEqual(await tab.evaluate(() => localStorage.getItem('gyul')), null);
  assert.ok(!(await tab.context().cookies()).some((c) => c.name.includes('gyul')), 'no cookies of ours');
  await tab.waitForTimeout(1000);
  await tab.goto('about:blank'); // The page is left: a beacon tells for how long it was seen.
  await tab.waitForTimeout(1000);
  assert.deepEqual(errors, []);
} finally {
  await browser.close();
  shop.close();
}
