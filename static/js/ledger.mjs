/**
 * What an official's app asks of its outbox (outbox.mjs): which items it knows, what of each household is still unsent,
 * and the receipts until they are told of elsewhere. A household's own pages ask none of this, and do not carry it.
 */

import { done } from './outbox.mjs';

/** @param {{read: Function, within: Function}} outbox */
export const ledger = ({ read, within }) => ({
  /** Which of these ids were never added: asked in one go, however many they are. */
  unknown: (ids) => within(['unsent', 'receipts'], 'readonly', async (transaction) => {
    const [unsent, receipts] = [transaction.objectStore('unsent').index('id'), transaction.objectStore('receipts')];
    const counts = await Promise.all(ids.map((id) => Promise.all([done(unsent.count(id)), done(receipts.count(id))])));
    return new Set(ids.filter((_, place) => !counts[place][0] && !counts[place][1]));
  }),
  /** Which of these ids are still unsent. */
  waiting: (ids) => within(['unsent'], 'readonly', async (transaction) => {
    const unsent = transaction.objectStore('unsent').index('id');
    const counts = await Promise.all(ids.map((id) => done(unsent.count(id))));
    return new Set(ids.filter((_, place) => counts[place]));
  }),
  /** How many items of a group are unsent, and whether its first has left at least once; of each of these groups. */
  tally: (groups) => within(['unsent'], 'readonly', async (transaction) => {
    const index = transaction.objectStore('unsent').index('group');
    const found = await Promise.all(groups.map(async (group) => {
      const [unsent, first] = await Promise.all([done(index.count(group)), done(index.get(group))]);
      return [group, { unsent, tried: Boolean(first?.tried) }];
    }));
    return new Map(found.filter(([, { unsent }]) => unsent));
  }),
  /** The groups of which something is unsent. */
  groups: () => within(['unsent'], 'readonly', (transaction) => new Promise((resolve, reject) => {
    const found = [];
    const walk = transaction.objectStore('unsent').index('group').openKeyCursor(null, 'nextunique');
    walk.onerror = () => reject(walk.error);
    walk.onsuccess = () => {
      if (!walk.result) return resolve(found);
      found.push(walk.result.key);
      walk.result.continue();
    };
  })),
  /** Seal anew what waits, one after the other; nothing is sent meanwhile, and what is gone stays gone. */
  async renew(anew) {
    for (const order of await read('unsent', (store) => store.getAllKeys())) {
      const item = await read('unsent', (store) => store.get(order));
      const text = item && await anew(item.text);
      if (item) await within(['unsent'], 'readwrite', async (transaction) => {
        const unsent = transaction.objectStore('unsent');
        if (await done(unsent.count(order))) unsent.put({ ...item, text });
      });
    }
  },
  receipts: (group) => read('receipts', (store) => store.index('group').getAll(group)),
  /** Forget the receipts of a group that is told of elsewhere. */
  forget: (group) => within(['receipts'], 'readwrite', async (transaction) => {
    const store = transaction.objectStore('receipts');
    for (const id of await done(store.index('group').getAllKeys(group))) store.delete(id);
  }),
});
