// @segment/analytics-node, unchanged but for its host.
import { Analytics } from '@segment/analytics-node';

const analytics = new Analytics({ writeKey: process.env.GYUL_KEY, host: process.env.GYUL_URL });
analytics.on('error', (e) => {
  console.error(e);
  process.exitCode = 1;
});
for (let i = 0; i < 40; i++) analytics.track({ userId: `node${i % 4}`, event: 'Node Event', properties: { n: i } });
analytics.identify({ userId: 'node0', traits: { plan: 'pro' } });
await analytics.closeAndFlush();
