/**
 * For a household without a network: hands out the files that its pages have put into the cache (static/js/household.mjs),
 * and an empty page in place of one that cannot be fetched. It keeps nothing itself, so it may end at any time. The
 * field app has a worker of its own.
 */
addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== location.origin) return;
  if (/^\/(static|booklet)\//.test(pathname)) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  } else if (request.mode === 'navigate' && /^\/(survey|$)/.test(pathname)) {
    event.respondWith(fetch(request).catch(async () => {
      const cache = await caches.open('household');
      const shell = (await cache.keys()).find(({ url }) => new URL(url).pathname.startsWith('/shell/'));
      return (shell && await cache.match(shell)) ?? Response.error();
    }));
  }
});
