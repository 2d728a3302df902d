/**
 * Everything one official's phone holds: the list, interviews in hand, visits, and what has still to be sent.
 *
 * An interview and a visit are kept here first and put into the outbox then; what a crash leaves between the two is put
 * there when the app opens again. What the server has confirmed is forgotten, but for the number and time of its receipt.
 */

import { canonical } from './events.mjs';
import { localDay, withAttempts, withListing } from './field-list.mjs';
import { ledger } from './ledger.mjs';
import { openOutbox } from './outbox.mjs';
import { openVault } from './vault.mjs';

/** Gzip, where the browser can; a day's interviews are large. */
const packed = async (json) => 'CompressionStream' in globalThis
  && new Response(new Blob([json]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer();

export const APP = 1; // raised when the server must tell data of this version apart
const TRAINING = 'training-';

/** Thrown when the server does not know who is signed in. */
export class SignedOut extends Error {}
/** Thrown when somebody else has signed in on this phone. */
export class SomebodyElse extends Error {}
/** Thrown after everything on this phone has been erased, because it was reported lost. */
export class Revoked extends Error {}

const hexOf = (length) => [...crypto.getRandomValues(new Uint8Array(length))].map((b) => b.toString(16).padStart(2, '0')).join('');

/**
 * @param {string} account whose phone it is now; in training a name that no account can have
 * @param {{training?: boolean, comesBack: (outcome: string) => boolean}} settings
 */
export async function openStore(account, { training = false, comesBack }) {
  const name = training ? 'field (training)' : `field ${account}`; // no account can be called so
  const vault = await openVault(`${name} vault`);
  let list = await vault.get('list');
  let device = await vault.get('device');
  if (!device) await vault.put('device', device = hexOf(16));
  let unsent = 0;
  const self = () => ({
    'survey-app': String(APP), 'survey-device': device, 'survey-unsent': String(unsent), 'survey-clock': String(Date.now()),
  });
  const opened = await openOutbox(name, {
    url: '/field/sync',
    seal: vault.seal,
    unseal: vault.unseal,
    batch: 300,
    pack: packed,
    headers: () => ({ 'x-csrf': list?.csrf ?? '', ...self() }),
  });
  const outbox = { ...opened, ...ledger(opened) };

  /** case → its interview in hand, without the answers; → attempts, and the finding, that the list does not know yet */
  const interviews = new Map();
  const attempts = new Map();
  const listings = new Map();
  /** case → {receipt, at, aside} of what was confirmed; case → {unsent, tried} */
  let confirmed = {};
  let waiting = new Map();

  const summary = ({ response, version, events }) => ({
    response, version, events: events.length, submitted: events.at(-1)?.kind === 'submitted',
  });
  const item = (group, type, value) => ({
    id: value.id, group, type, text: type === 'events' ? canonical(value) : JSON.stringify(value),
  });
  /** The answers of an interview and its pictures go from this phone. */
  const wipe = async (response) => {
    await vault.remove(`interview ${response}`);
    for (const key of await vault.keys(`photo ${response} `)) await vault.remove(key);
  };

  async function count() {
    waiting = await outbox.tally();
    confirmed = (await outbox.shelf('confirmed')) ?? {};
    unsent = [...waiting.values()].reduce((sum, one) => sum + one.unsent, 0);
  }

  /** Remember the last receipt of each household, an interview's before a visit's, and why anything was set aside. */
  async function confirm(receipts) {
    const known = (await outbox.shelf('confirmed')) ?? {};
    for (const { group, type, state, receipt, received_at: at, why, reason } of receipts) {
      const before = known[group] ?? {};
      const aside = state === 'quarantined' ? why ?? reason : before.aside;
      known[group] = type === 'events' || !before.interview
        ? { receipt, at, aside, interview: type === 'events' } : { ...before, at, aside };
    }
    await outbox.shelve('confirmed', known);
    confirmed = known;
  }

  const remember = (receipts) => receipts.length
    && navigator.locks.request(`${name} confirmed`, () => confirm(receipts));

  const ownEvents = ({ case: id, events, sent = 0 }) => events.slice(sent).map((event) => item(id, 'events', event));

  /** The visit that an interview is: it follows from the first event, so that a crash between the two loses neither. */
  const visitOf = ({ id, case: of, at, author, mode }) => ({
    id: id.replace(/^((?:training-)?.{14})7/, '$18'), case: of, at, author, mode, outcome: 'interviewed', note: '', appointment: '',
  });

  const keepVisit = (attempt) => navigator.locks.request(`${name} visits ${attempt.case}`, async () => {
    const kept = (await vault.get(`visits ${attempt.case}`)) ?? [];
    if (kept.some(({ id }) => id === attempt.id) || await outbox.knows(attempt.id)) return;
    await vault.put(`visits ${attempt.case}`, [...kept, attempt]);
    attempts.set(attempt.case, [...kept, attempt]);
  });

  /** What a crash kept from the outbox goes there now; what was sent to the end is forgotten. */
  async function settle() {
    interviews.clear();
    attempts.clear();
    listings.clear();
    for (const key of await vault.keys('interview ')) {
      const kept = await vault.get(key);
      const last = kept.events.at(-1);
      if (!training && last && !(await outbox.knows(last.id))) await outbox.add(ownEvents(kept));
      interviews.set(kept.case, summary(kept));
      if (!kept.sent && !kept.start) await keepVisit(visitOf(kept.events[0]));
    }
    for (const key of await vault.keys('visits ')) {
      const kept = await vault.get(key);
      if (!training) await outbox.add(kept.map((attempt) => item(attempt.case, 'attempts', attempt)));
      attempts.set(key.slice('visits '.length), kept);
    }
    for (const key of await vault.keys('listing ')) {
      const kept = await vault.get(key);
      if (!training) await outbox.add([item(kept.case, 'listings', kept)]);
      listings.set(kept.case, kept);
    }
    await count();
    await forget();
  }

  /** Wipe interviews that were submitted and wholly confirmed. */
  async function forget() {
    if (training) return;
    for (const [id, { response, submitted }] of interviews) {
      if (!submitted || waiting.get(id)) continue;
      await wipe(response);
      await remember(await outbox.receipts(id)); // perhaps it was another tab that got them, and did not live to tell
      await outbox.forget(id);
      interviews.delete(id);
    }
  }

  /** The interview of a response as it is now, changed, and kept: one tab at a time. */
  const within = (response, change) => navigator.locks.request(`${name} ${response}`, async () => {
    const kept = await vault.get(`interview ${response}`);
    const changed = await change(kept);
    if (changed === kept) return kept;
    await vault.put(`interview ${response}`, changed);
    interviews.set(changed.case, summary(changed));
    return changed;
  });

  /** Interviews that the server knows, perhaps begun on another phone: joined with what only this phone has. */
  async function adopt(begun) {
    for (const { case: id, version, response, events, start, hidden } of begun) {
      await within(response, (kept) => {
        // a question that came back: the server has the rest, and only what it lets out is kept here
        if (start) return kept?.start ? kept : { case: id, version, response, start, hidden, events, sent: 0 };
        const known = new Set(events.map((event) => event.id));
        const own = (kept?.events ?? []).filter((event) => !known.has(event.id));
        return { case: id, version, response, events: [...events, ...own], sent: events.length };
      });
    }
  }

  /** Forget everything, whatever it is. */
  async function erase() {
    await vault.destroy();
    await outbox.destroy(true);
    for (const { name: other } of await indexedDB.databases()) if (other.startsWith('field ')) indexedDB.deleteDatabase(other);
    localStorage.removeItem('field account');
    for (const cache of await caches.keys()) if (cache.startsWith('field ')) await caches.delete(cache);
  }

  /** Other tabs of this phone learn what was kept and sent here. */
  const others = new BroadcastChannel(name);
  let changed = () => {};
  others.addEventListener('message', async () => {
    await count();
    changed();
  });

  await settle();

  return {
    /** Call this when something has been kept, or sent by another tab. */
    watch(call) { changed = call; },
    account,
    training,
    get list() { return list; },
    get unsent() { return unsent; },
    interview: (id) => interviews.get(id),
    attempts: (id) => attempts.get(id) ?? [],
    /** The cases of the list as this phone knows them. */
    cases: () => (list?.cases ?? []).map((one) => {
      const found = withListing(withAttempts(one, attempts.get(one.id) ?? [], comesBack), listings.get(one.id));
      const mine = interviews.get(one.id);
      if (!mine || found.state === 'complete') return found;
      return { ...found, state: mine.submitted ? 'complete' : found.state === 'returned' ? 'returned' : 'started' };
    }),
    /** @returns {import('./field-list.mjs').Carriage} */
    carried: (id) => ({ unsent: 0, tried: false, aside: '', receipt: '', at: 0, ...confirmed[id], ...waiting.get(id) }),

    /** Fetch the list; what this phone has recorded and the server confirmed before is in it. */
    async refresh() {
      if (training) return;
      const answer = await fetch('/field/list', {
        credentials: 'same-origin', cache: 'no-store', redirect: 'manual',
        headers: { accept: 'application/json', ...self() },
      });
      const ours = answer.headers.get('content-type')?.startsWith('application/json');
      if (ours && answer.status === 410) {
        await erase();
        throw new Revoked();
      }
      if (ours && answer.status === 401) throw new SignedOut();
      if (!ours || !answer.ok) throw new TypeError('not our list');
      const fresh = await answer.json();
      if (fresh.account !== account) throw new SomebodyElse(fresh.account);
      list = { ...fresh, begun: undefined };
      await vault.put('list', list);
      await adopt(fresh.begun);
      for (const [id, kept] of attempts) {
        const left = [];
        for (const attempt of kept) if (await outbox.waits(attempt.id)) left.push(attempt);
        if (left.length) await vault.put(`visits ${id}`, left);
        else await vault.remove(`visits ${id}`);
      }
      for (const [id, { id: made }] of listings) if (!await outbox.waits(made)) await vault.remove(`listing ${id}`);
      const mine = new Set(list.cases.filter(({ state }) => state !== 'complete').map(({ id }) => id));
      for (const [id, { response }] of interviews) {
        if (!mine.has(id) && !waiting.get(id)) await wipe(response);
      }
      await settle();
    },

    /** Try to send; `told.revoked` is found out by the next refresh. */
    async send() {
      if (training) return { state: 'sent', sent: 0, left: 0, receipts: [] };
      const told = await outbox.send();
      await remember(told.receipts);
      await count();
      await forget();
      if (told.receipts.length) others.postMessage('sent');
      return told;
    },

    /** Begin the interview of a case, or find the one that was begun: a button pressed in two tabs begins one. */
    begin: (id, opened) => navigator.locks.request(`${name} begin ${id}`, async () => {
      for (const key of await vault.keys('interview ')) {
        const kept = await vault.get(key);
        if (kept.case === id && kept.events.at(-1)?.kind !== 'submitted') {
          interviews.set(id, summary(kept));
          return kept;
        }
      }
      const response = (training ? TRAINING : '') + hexOf(16);
      const first = opened(response);
      const kept = await within(response, () => ({ case: id, version: first.version, response, events: [first] }));
      const visit = visitOf(first);
      await keepVisit(visit);
      if (!training) await outbox.add([item(id, 'events', first), item(id, 'attempts', visit)]);
      await count();
      return kept;
    }),

    read: (response) => vault.get(`interview ${response}`),

    /**
     * Keep events of an interview; resolves when they are on the disk. Returns the interview with them. Of its two
     * places either may come first: what is in one alone after a crash is asked again, or sent when the app opens.
     */
    async say(response, id, events) {
      const keeping = within(response, (before) => {
        const known = new Set(before.events.map((event) => event.id));
        const fresh = events.filter((event) => !known.has(event.id));
        return fresh.length ? { ...before, events: [...before.events, ...fresh] } : before;
      });
      const [kept] = await Promise.all([keeping, training || outbox.add(events.map((event) => item(id, 'events', event)))]);
      // the last chance for what a crashed tab left behind
      if (!training && events.at(-1)?.kind === 'submitted') await outbox.add(ownEvents(kept));
      count().then(() => { changed(); others.postMessage('kept'); });
      return kept;
    },

    /** Keep a picture of an interview; it is sent after the answers that are waiting already. */
    async picture(response, id, { digest, content }) {
      await vault.put(`photo ${response} ${digest}`, content);
      const made = { id: `${response}-${digest.slice(0, 32)}`, case: id, response, at: Date.now(), author: account, mode: 'visit', content };
      if (!training) await outbox.add([item(id, 'pictures', made)]);
      await count();
    },

    /** A picture that this phone holds, in base64; undefined for one that another phone took. */
    seen: (response, digest) => vault.get(`photo ${response} ${digest}`),

    /** Keep a visit. */
    async visit(attempt) {
      const made = training ? { ...attempt, id: TRAINING + attempt.id } : attempt;
      await keepVisit(made);
      if (!training) await outbox.add([item(attempt.case, 'attempts', made)]);
      await count();
    },

    /** Keep that the list does not say what is there. */
    async found(listing) {
      const made = training ? { ...listing, id: TRAINING + listing.id } : listing;
      await vault.put(`listing ${made.case}`, made);
      listings.set(made.case, made);
      if (!training) await outbox.add([item(made.case, 'listings', made)]);
      await count();
    },

    /** Go on from what the household answered online: `null` when the code does not open it. */
    async takeOver(id, code) {
      const answer = await fetch(`/field/cases/${id}/take-over`, {
        method: 'POST', credentials: 'same-origin', redirect: 'manual', body: JSON.stringify({ code }),
        headers: { 'content-type': 'application/json', accept: 'application/json', 'x-csrf': list.csrf },
      });
      if (answer.status === 422) return null;
      if (!answer.ok) throw new TypeError('not our answer');
      const begun = await answer.json();
      await adopt([begun]);
      return begun.response;
    },

    /** Training households, kept only here. */
    async invent(made) {
      list = made;
      await vault.put('list', made);
    },

    settle,
    erase,
    /** Whether something can have been done at this time: not later than now, nor on a day before the visits began. */
    couldBe: (at) => at <= Date.now() && (!list?.opens || localDay(at) >= (list.opens < localDay(Date.now()) ? list.opens : localDay(Date.now()))),
    today: () => localDay(Date.now()),
  };
}
