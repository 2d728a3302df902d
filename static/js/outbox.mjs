/**
 * What this device has still to send: kept before anything else happens, deleted only for a receipt.
 *
 *   const outbox = await openOutbox('household-ab12', { headers: () => ({ 'x-csrf': token }) });
 *   await outbox.add([{ id, group: response, text: canonical(event) }]);   // resolves when it is on the disk
 *   const told = await outbox.send();                                      // { state, sent, left, receipts }
 *
 * Items go out in the order in which they were added, in batches, by one tab at a time (a Web Lock). The server answers
 * POST /sync {"events": [...]} with {"receipts": [{id, hash, state, received_at, ...}]} after its commit. An item leaves
 * the outbox only when a receipt names its id and the SHA-256 of the very bytes that were sent; so a login page that
 * answers 200 for everything deletes nothing, and a lost reply is a second sending of the same id, which changes nothing.
 *
 * With `seal` and `unseal` (vault.mjs) the text is encrypted while it waits. `tried` on an item says when it last left.
 *
 * `pack` makes gzip of a large batch. What else an official's app asks of its outbox is in ledger.mjs.
 *
 * Not for browsers without a secure context (plain http), IndexedDB, Web Locks or Web Crypto: `supported` says so, and
 * `openOutbox` rejects where storage is forbidden (private windows).
 */

import { hex, sha256 } from './events.mjs';

const BATCH = 50;
const LETTERS = 80_000; // of one batch: at most 240 KB, and the server takes 256
const PATIENCE = 20_000; // milliseconds for one batch
const FIRST_PAUSE = 1500; // before the second try; each further one waits longer

export const supported = Boolean(
  globalThis.isSecureContext && globalThis.indexedDB && navigator.locks && globalThis.crypto?.subtle,
);

export const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

const committed = (transaction) => new Promise((resolve, reject) => {
  transaction.oncomplete = () => resolve();
  transaction.onabort = transaction.onerror = () => reject(transaction.error);
});

function database(name) {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    const unsent = request.result.createObjectStore('unsent', { keyPath: 'order', autoIncrement: true });
    unsent.createIndex('id', 'id', { unique: true });
    unsent.createIndex('group', 'group');
    request.result.createObjectStore('receipts', { keyPath: 'id' }).createIndex('group', 'group');
    request.result.createObjectStore('shelf');
  };
  return done(request).then((kept) => {
    kept.onversionchange = () => kept.close(); // another tab forgets everything
    return kept;
  });
}

/**
 * @typedef {{id: string, group?: string, type?: string, text: string}} Item `text` is the JSON that is sent, `type` the
 *   list of the batch it belongs to ("events" unless said), `group` what its receipt is looked up by.
 * @typedef {'sent'|'offline'|'unrecognised'|'signed-out'|'busy'} State how the last sending ended: "unrecognised" is an
 *   answer that is not ours, such as a login page of the network.
 */

/** The outbox of this name; rejects where the browser keeps nothing. */
export async function openOutbox(name, {
  url = '/sync', headers = () => ({}), seal = async (text) => text, unseal = async (sealed) => sealed, batch: most = BATCH, pack,
} = {}) {
  let kept = await database(name);

  /** One transaction; a connection that the system closed behind the page is opened again, once. */
  async function within(stores, mode, work) {
    for (let again = false; ; again = true) {
      try {
        const transaction = kept.transaction(stores, mode, { durability: 'strict' });
        const end = committed(transaction);
        const result = await work(transaction).catch((error) => { end.catch(() => {}); throw error; });
        await end;
        return result;
      } catch (error) {
        if (again || error.name !== 'InvalidStateError') throw error;
        kept = await database(name);
      }
    }
  }

  /** Keep items; one that is there already (or was acknowledged) stays as it is. Resolves after the commit. */
  async function add(items) {
    const hashed = await Promise.all(items.map(async ({ id, group = '', type = 'events', text }) => ({
      id, group, type, text: await seal(text), letters: text.length, hash: hex(await sha256(text)),
    })));
    await within(['unsent', 'receipts'], 'readwrite', async (transaction) => {
      const [unsent, receipts] = [transaction.objectStore('unsent'), transaction.objectStore('receipts')];
      const known = await Promise.all(hashed.flatMap(({ id }) => [unsent.index('id').count(id), receipts.count(id)]).map(done));
      hashed.forEach((item, n) => known[2 * n] || known[2 * n + 1] || unsent.add(item));
    });
  }

  const read = (store, ask) => within([store], 'readonly', (transaction) => done(ask(transaction.objectStore(store))));
  const unsent = () => read('unsent', (store) => store.getAll());

  /** Send everything there is, in order. Another tab that is sending is waited for. */
  const send = () => navigator.locks.request(`outbox ${name}`, async () => {
    const told = { state: 'sent', sent: 0, left: 0, receipts: [] };
    let size = most;
    for (;;) {
      const waiting = await read('unsent', (store) => store.getAll(null, size));
      if (!waiting.length) break;
      const batch = fitting(waiting);
      const texts = await Promise.all(batch.map(({ text }) => unseal(text)));
      await within(['unsent'], 'readwrite', async (transaction) => {
        for (const item of batch) transaction.objectStore('unsent').put({ ...item, tried: Date.now() });
      });
      const answer = await post(url, headers(), batch.map(({ type }, place) => ({ type, text: texts[place] })), pack);
      if (answer.status === 413 && batch.length > 1) {
        size = Math.ceil(batch.length / 2);
        continue;
      }
      const acknowledged = match(batch, answer.receipts);
      await within(['unsent', 'receipts'], 'readwrite', async (transaction) => {
        for (const { order, group, receipt } of acknowledged) {
          transaction.objectStore('unsent').delete(order);
          transaction.objectStore('receipts').put({ ...receipt, group });
        }
      });
      told.sent += acknowledged.length;
      told.receipts.push(...acknowledged.map(({ receipt, group }) => ({ ...receipt, group })));
      if (acknowledged.length < batch.length) {
        told.state = answer.state;
        break;
      }
    }
    told.left = await read('unsent', (store) => store.count());
    return told;
  });

  return {
    add, send, unsent, within, read,
    count: () => read('unsent', (store) => store.count()),
    /** Small things that must outlive the page, beside the items: `shelve(key, undefined)` takes one away. */
    shelve: (key, value) => within(['shelf'], 'readwrite', (transaction) => done(
      value === undefined ? transaction.objectStore('shelf').delete(key) : transaction.objectStore('shelf').put(value, key),
    )),
    shelf: (key) => read('shelf', (store) => store.get(key)),
    /** Forget everything on this device; refused while something is unsent, unless the person knows. */
    async destroy(known = false) {
      if (!known && await read('unsent', (store) => store.count())) return false;
      kept.close();
      await done(indexedDB.deleteDatabase(name));
      return true;
    },
  };
}

function fitting(waiting) {
  let letters = 0;
  const end = waiting.findIndex((item, place) => (letters += item.letters ?? item.text.length) > LETTERS && place > 0);
  return end < 0 ? waiting : waiting.slice(0, end);
}

/** The items that a receipt names by id and by hash. */
function match(batch, receipts) {
  const byId = new Map(receipts.map((receipt) => [receipt.id, receipt]));
  return batch.flatMap(({ id, hash, order, group, type }) => {
    const receipt = byId.get(id);
    return receipt?.hash === hash ? [{ order, group, receipt: { ...receipt, type } }] : [];
  });
}

async function post(url, headers, batch, pack) {
  const lists = {};
  for (const { type, text } of batch) (lists[type] ??= []).push(text);
  const json = `{${Object.entries(lists).map(([type, texts]) => `"${type}":[${texts}]`)}}`;
  const packed = json.length > 1000 && await pack?.(json);
  let answer;
  try {
    answer = await fetch(url, {
      method: 'POST', body: packed || json, credentials: 'same-origin', redirect: 'manual', cache: 'no-store',
      headers: {
        'content-type': 'application/json', accept: 'application/json', ...(packed && { 'content-encoding': 'gzip' }), ...headers,
      },
      signal: AbortSignal.timeout?.(PATIENCE),
    });
  } catch {
    return { state: 'offline', receipts: [] };
  }
  const { status } = answer;
  const ours = answer.headers.get('content-type')?.startsWith('application/json');
  const receipts = ours && answer.ok ? await answer.json().then((told) => told.receipts, () => null) : null;
  if (Array.isArray(receipts)) return { state: 'unrecognised', status, receipts };
  const state = ours && (status === 401 || status === 403) ? 'signed-out' : ours && status > 401 ? 'busy' : 'unrecognised';
  return { state, status, receipts: [] };
}

/**
 * Send by itself: now, when the network or the page comes back, and after a growing pause while something is left.
 * @param {Awaited<ReturnType<typeof openOutbox>>} outbox
 * @param {(told: {state: State, sent: number, left: number}) => void} tell called after every try
 * @returns {() => Promise<void>} try now
 */
export function keepSending(outbox, tell) {
  let timer = 0;
  let pause = FIRST_PAUSE;
  async function attempt() {
    clearTimeout(timer);
    const told = await outbox.send().catch(() => ({ state: 'offline', sent: 0, left: -1, receipts: [] }));
    pause = told.left && !told.sent ? Math.min(pause * 1.6, 60_000) : FIRST_PAUSE;
    if (told.left) timer = setTimeout(attempt, pause);
    await tell(told);
  }
  addEventListener('online', () => {
    pause = FIRST_PAUSE; // the network says that it is back before it is
    attempt();
  });
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && attempt());
  attempt();
  return attempt;
}
