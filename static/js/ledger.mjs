/**
 * What an official's app asks of its outbox (outbox.mjs): which items it knows, what of each household is still unsent,
 * and the receipts until they are told of elsewhere. A household's own pages ask none of this, and do not carry it.
 */

import { done } from './outbox.mjs';

/** @param {{read: Function, within: Function}} outbox */
export const ledger = ({ read, within }) => ({
  /** Whether something of this id was ever added. */
  knows: async (id) => Boolean(await read('unsent', (store) => store.index('id').count(id))
    || await read('receipts', (store) => store.count(id))),
  /** Whether something of this id is still unsent. */
  waits: async (id) => Boolean(await read('unsent', (store) => store.index('id').count(id))),
  /** How many items of each group are unsent, and whether its first has left at least once. */
  tally: () => within(['unsent'], 'readonly', async (transaction) => {
    const groups = transaction.objectStore('unsent').index('group');
    const found = new Map();
    for (let next = await done(groups.get(IDBKeyRange.lowerBound(''))); next;) {
      const { group, tried } = next;
      found.set(group, { unsent: await done(groups.count(group)), tried: Boolean(tried) });
      next = await done(groups.get(IDBKeyRange.lowerBound(group, true)));
    }
    return found;
  }),
  receipts: (group) => read('receipts', (store) => store.index('group').getAll(group)),
  /** Forget the receipts of a group that is told of elsewhere. */
  forget: (group) => within(['receipts'], 'readwrite', async (transaction) => {
    const store = transaction.objectStore('receipts');
    for (const id of await done(store.index('group').getAllKeys(group))) store.delete(id);
  }),
});
