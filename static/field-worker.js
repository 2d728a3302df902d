// Keeps the app so that it opens without a network; data and answers are none of its business. The open key of a phone it
// holds in memory for a minute, for a page that is opened again at once (field-lock.mjs); nothing of it reaches a disk.
// KEPT and VERSION are written above by the server: any change of either makes another worker.

const NAME = `field ${VERSION}`;
const BOOKLETS = 'field booklets';
const MOMENT = 60_000; // milliseconds
const held = new Map();

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(KEPT)).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith('field ') && name !== NAME && name !== BOOKLETS) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

/** The app's own page: the network's while it answers within two seconds, so that a new version is seen at once. */
async function page(request) {
  const kept = await caches.match(request, { cacheName: NAME, ignoreSearch: true });
  if (!kept) return fetch(request);
  const fresh = fetch(request).then((answer) => (answer.ok && answer.headers.has('survey-app') ? answer : kept));
  const late = new Promise((resolve) => setTimeout(resolve, 2000, kept));
  return Promise.race([fresh.catch(() => kept), late]);
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET') return;
  const { pathname, origin } = new URL(request.url);
  if (origin !== self.location.origin) return;
  if (pathname.startsWith('/field/app/')) event.respondWith(page(request));
  else if (pathname.startsWith('/static/') || pathname === '/field/app.webmanifest') {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  } else if (pathname.startsWith('/booklet/')) {
    event.respondWith(caches.open(BOOKLETS).then(async (cache) => {
      const kept = await cache.match(request);
      if (kept) return kept;
      const answer = await fetch(request);
      if (answer.ok) await cache.put(request, answer.clone());
      return answer;
    }));
  }
});

self.addEventListener('message', ({ data, ports: [asker] }) => {
  if (data.ask) {
    const found = held.get(data.name);
    held.delete(data.name);
    asker.postMessage({ key: found && Date.now() - found.since < MOMENT ? found.key : undefined });
  } else if (data.key) {
    held.set(data.name, { key: data.key, since: Date.now() });
    setTimeout(() => held.delete(data.name), MOMENT);
  } else held.delete(data.name);
});
