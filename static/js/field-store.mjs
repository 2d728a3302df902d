/**
 * Everything one official's phone holds: the list, interviews in hand, visits, and what has still to be sent.
 *
 * An interview and a visit are kept here first and put into the outbox then; what a crash leaves between the two is put
 * there when the app opens again. What the server has confirmed is forgotten, but for the number and time of its receipt.
 */

import { canonical } from './events.mjs';
import { localDay, withAttempts, withListing } from './field-list.mjs';
import { base64 } from './field-lock.mjs';
import { ledger } from './ledger.mjs';
import { done, openOutbox } from './outbox.mjs';
import { openVault } from './vault.mjs';

/** Gzip, where the browser can; a day's interviews are large. */
const packed = async (json) => 'CompressionStream' in globalThis
  && new Response(new Blob([json]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer();

export const APP = 1; // raised when the server must tell data of this version apart
const TRAINING = 'training-';
const FEW = 20; // things looked for in the outbox before the list is drawn

/** Thrown when the server does not know who is signed in. */
export class SignedOut extends Error {}
/** Thrown when somebody else has signed in on this phone. */
export class SomebodyElse extends Error {}
/** Thrown after everything on this phone has been erased, because it was reported lost. */
export class Revoked extends Error {}

/** The visit that an interview is has the id of its first event, but for one digit. */
const visitId = (id) => id.replace(/^((?:training-)?.{14})7/, '$18');

const hexOf = (length) => [...crypto.getRandomValues(new Uint8Array(length))].map((b) => b.toString(16).padStart(2, '0')).join('');

/** What this phone is, where the browser keeps that out of its own header. */
let model = '';
navigator.userAgentData?.getHighEntropyValues?.(['model']).then((told) => { model = told.model; }, () => {});

/** How this app names itself to the server. */
const self = ({ device = '', name = '' }, unsent) => ({
  'survey-app': String(APP), 'survey-device': device, 'survey-unsent': String(unsent), 'survey-clock': String(Date.now()),
  ...(name && { 'survey-name': encodeURIComponent(name) }), ...(model && { 'survey-model': encodeURIComponent(model) }),
});

/** Forget everything, whoever's it is. */
async function eraseAll() {
  for (const { name } of await indexedDB.databases()) if (name.startsWith('field ')) await done(indexedDB.deleteDatabase(name));
  for (const key of Object.keys(localStorage)) if (key.startsWith('field ')) localStorage.removeItem(key);
  for (const cache of await caches.keys()) if (cache.startsWith('field ')) await caches.delete(cache);
}

/**
 * What may be done with a phone whose code nobody has typed: nothing on it can be read, but what is unsent can be sent
 * sealed, and the server opens it.
 */
export async function openLocked(account, lock) {
  const asItLies = ({ iv, data }) => JSON.stringify({ iv: base64(iv), data: base64(data) });
  const sealed = async (text) => (lock.older ? crypto.subtle.decrypt({ name: 'AES-GCM', iv: text.iv }, lock.older, text.data)
    .then((open) => new TextDecoder().decode(open), () => asItLies(text)) : asItLies(text));
  let token = '';
  const headers = () => ({ 'x-csrf': token, 'survey-escrow': lock.escrow, ...self(lock, 0) });
  const outbox = await openOutbox(`field ${account}`, { url: '/field/sealed', unseal: sealed, batch: 100, headers });
  const post = () => fetch('/field/sealed', {
    method: 'POST', body: '{}', credentials: 'same-origin', redirect: 'manual', cache: 'no-store',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers() },
  });

  /** Send everything, as long as something of it arrives. @returns {Promise<number>} how much is left */
  async function sendAll() {
    for (;;) {
      const { left, sent } = await outbox.send();
      if (!left || !sent) return left;
    }
  }

  /** Who is signed in on this browser, and the token of the session's forms; null without a session, undefined offline. */
  async function session() {
    const answer = await fetch('/field/token', {
      credentials: 'same-origin', cache: 'no-store', redirect: 'manual', headers: { accept: 'application/json' },
    }).catch(() => null);
    if (answer?.status === 401) return null;
    return answer?.ok && answer.headers.get('content-type')?.startsWith('application/json') ? answer.json() : undefined;
  }

  return {
    count: outbox.count,
    signed: async () => (await session())?.account,
    /** Whether the server says that this phone was reported lost: then everything unsent is sent and all is erased. */
    async revoked() {
      const answer = await post().catch(() => null);
      if (!answer?.ok || !answer.headers.get('content-type')?.startsWith('application/json') || !(await answer.json()).revoked) return false;
      if (await sendAll()) return false; // the network went away: again when it is back
      lock.close();
      await outbox.destroy(true);
      await eraseAll();
      return true;
    },
    /**
     * The code is forgotten: send what is unsent, forget this account's work and the session.
     * @returns {Promise<'done'|'offline'|'signed-out'|'left'>} nothing is erased unless it is done
     */
    async giveUp() {
      const said = await session();
      if (said === undefined) return 'offline';
      if (said?.account !== account) return 'signed-out';
      token = said.csrf;
      if (await sendAll()) return 'left';
      await fetch('/field/sign-out', { method: 'POST', body: new URLSearchParams({ csrf: token }), redirect: 'manual' });
      lock.close();
      await outbox.destroy(true);
      await done(indexedDB.deleteDatabase(`field ${account} vault`));
      localStorage.removeItem('field account');
      return 'done';
    },
  };
}

/**
 * @param {string} account whose phone it is now; in training a name that no account can have
 * @param {{training?: boolean, key?: CryptoKey, phone?: {device: string, name: string}, comesBack: (outcome: string) => boolean}} settings `key` as the lock
 *   of the phone gave it; training has none
 */
export async function openStore(account, { training = false, key, phone = {}, comesBack }) {
  const name = training ? 'field (training)' : `field ${account}`; // no account can be called so
  const vault = await openVault(`${name} vault`, key);
  let unsent = 0;
  const opened = await openOutbox(name, {
    url: '/field/sync',
    seal: vault.seal,
    unseal: vault.unseal,
    batch: 300,
    pack: packed,
    headers: () => ({ 'x-csrf': list?.csrf ?? '', ...self(phone, unsent) }),
  });
  const outbox = { ...opened, ...ledger(opened) };
  if (vault.older) { // from before the phone had a code: nothing is sent meanwhile, and a crash begins it again
    await navigator.locks.request(`outbox ${name}`, () => vault.renew(
      () => outbox.renew(async (text) => vault.seal(await vault.unseal(text))),
    ));
  }
  let list;
  let byId = new Map();
  const listed = (made) => {
    list = made;
    byId = new Map((made?.cases ?? []).map((one) => [one.id, one]));
  };
  const keptList = vault.get('list').then(listed);

  /** case → its interview in hand, without the answers; → attempts, and the finding, that the list does not know yet */
  const interviews = new Map();
  const attempts = new Map();
  const listings = new Map();
  /** case → {receipt, at, aside} of what was confirmed; case → {unsent, tried} */
  let confirmed = {};
  let waiting = new Map();
  let noting = 0;
  let kept = 0; // how often something was kept since this page was opened
  const hold = (of, id, made) => {
    kept += 1;
    of.set(id, made);
  };

  /** What stands in plain beside an interview: which it is and how far, so that none is opened to draw the list. */
  const summary = ({ case: of, response, version, events, sent = 0, start }) => ({
    case: of, response, version, events: events.length, submitted: events.at(-1)?.kind === 'submitted',
    last: events.length > sent ? events.at(-1).id : '', visit: sent || start ? '' : visitId(events[0].id),
  });
  const item = (group, type, value) => ({
    id: value.id, group, type, text: type === 'events' ? canonical(value) : JSON.stringify(value),
  });
  /**
   * An interview lies as one thing and, after it, what each page has said since: a page writes itself alone, however long
   * the interview is. What was said twice counts once.
   */
  const whole = async (response) => {
    const { about, value, parts } = await vault.gather(`interview ${response}`, `said ${response} `);
    const events = new Map([value?.events ?? [], ...parts].flat().map((event) => [event.id, event]));
    return { about, kept: value && { ...value, events: [...events.values()] } };
  };
  const ofPage = (response, number) => `said ${response} ${String(number).padStart(6, '0')}`;
  /** The answers of an interview and its pictures go from this phone. */
  const wipe = async (response) => vault.remove(
    `interview ${response}`, ...await vault.keys(`said ${response} `), ...await vault.keys(`photo ${response} `),
  );

  /** What waits, of these households or (without any) of all. */
  async function count(groups) {
    const found = await outbox.tally(groups ?? await outbox.groups());
    if (groups) for (const id of groups) waiting.delete(id);
    waiting = new Map(groups ? [...waiting, ...found] : found);
    if (!groups) confirmed = (await outbox.shelf('confirmed')) ?? {};
    unsent = await outbox.count();
    clearTimeout(noting);
    noting = setTimeout(() => outbox.shelve('waiting', [...waiting]).catch(() => {}), 1000); // not in the way of a page
  }

  /** One thing after the other, in the order asked for, each some milliseconds later than the one before. */
  let turn = Promise.resolve();
  function afterwards(pause, work) {
    const asked = turn.catch(() => {}).then(() => new Promise((later) => { setTimeout(later, pause); })).then(work);
    turn = asked;
    asked.catch(() => {}); // what was not waited for lies in the vault, and is looked for when the interview ends or the app opens
    return asked;
  }

  /** What waited when it was last counted, if that is as much as waits now: enough to draw the list, and counted again then. */
  async function recall() {
    const [found, left, told] = await Promise.all([outbox.shelf('waiting'), outbox.count(), outbox.shelf('confirmed')]);
    const all = (found ?? []).reduce((sum, [, one]) => sum + one.unsent, 0);
    if (all !== left) return count();
    [waiting, unsent, confirmed] = [new Map(found), left, told ?? {}];
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
  const visitOf = ({ id, case: of, at, mode }) => aloneOf({ id: visitId(id), case: of, at, mode });

  /** What stands in plain beside the visits to a household; of one that was the interview alone, that is all there is to it. */
  const besideVisits = ([{ id, case: of, at, mode, outcome }, ...more]) => ({
    case: of, ...(outcome === 'interviewed' && !more.length && { alone: { id, case: of, at, mode } }),
  });
  const aloneOf = ({ id, case: of, at, mode }) => ({ id, case: of, at, author: account, mode, outcome: 'interviewed', note: '', appointment: '' });
  /** The visits that the list does not know yet; only those are opened that do not stand in plain. */
  async function visitsHere() {
    const [abouts, keys] = await Promise.all([vault.abouts('visits '), vault.keys('visits ')]);
    const plain = new Map(abouts.filter(({ alone }) => alone).map(({ alone }) => [`visits ${alone.case}`, [aloneOf(alone)]]));
    return Promise.all(keys.map((key) => plain.get(key) ?? vault.get(key)));
  }

  const keepVisit = (attempt) => navigator.locks.request(`${name} visits ${attempt.case}`, async () => {
    const before = (await vault.get(`visits ${attempt.case}`)) ?? [];
    if (before.some(({ id }) => id === attempt.id) || !(await outbox.unknown([attempt.id])).size) return;
    await vault.put(`visits ${attempt.case}`, [...before, attempt], besideVisits([...before, attempt]));
    hold(attempts, attempt.case, [...before, attempt]);
  });

  /** A case of the list with what this phone knows of it beyond. */
  const asHere = (one) => {
    const found = withListing(withAttempts(one, attempts.get(one.id) ?? [], comesBack), listings.get(one.id));
    const mine = interviews.get(one.id);
    if (!mine || found.state === 'complete') return found;
    return { ...found, state: mine.submitted ? 'complete' : found.state === 'returned' ? 'returned' : 'started' };
  };

  /** What this phone holds, from the words that stand in plain; the visits are opened. */
  async function look() {
    const begun = kept;
    const [abouts, visits, found] = await Promise.all([vault.abouts('interview '), visitsHere(), vault.all('listing ')]);
    if (begun !== kept) return look(); // something was kept meanwhile
    for (const of of [interviews, attempts, listings]) of.clear();
    for (const about of abouts) interviews.set(about.case, about);
    for (const made of visits) if (made) attempts.set(made[0].case, made);
    for (const made of found) listings.set(made.case, made);
    return abouts;
  }

  /**
   * What a crash kept from the outbox goes there now. An interview or a visit that was found in the outbox once is
   * `settled` and not looked for again.
   * @param {number} [most] with more to look for than that nothing is done
   */
  async function mend(most = Infinity) {
    const sure = new Set((await vault.abouts('visits ')).filter((about) => about.settled).map((about) => about.case));
    const open = [...interviews.values()].filter((about) => !about.settled);
    const fresh = [...attempts].filter(([id]) => !sure.has(id));
    const here = new Set([...attempts.values()].flat().map(({ id }) => id));
    const made = [
      ...open.flatMap(({ last, visit }) => [last, visit]), ...fresh.flatMap(([, visits]) => visits.map(({ id }) => id)),
      ...[...listings.values()].map(({ id }) => id),
    ].filter(Boolean);
    if (training || !made.length || made.length > most) return;
    const lost = await outbox.unknown(made);
    for (const { response, last, visit } of open) {
      if (!lost.has(last) && (!lost.has(visit) || here.has(visit))) continue;
      const { kept: all } = await whole(response);
      await outbox.add(ownEvents(all));
      if (visit) await keepVisit(visitOf(all.events[0]));
    }
    await add([
      ...[...attempts.values()].flat().map((attempt) => item(attempt.case, 'attempts', attempt)),
      ...[...listings.values()].map((one) => item(one.case, 'listings', one)),
    ].filter(({ id }) => lost.has(id)));
    for (const { response, last } of open) await settled(`interview ${response}`, last);
    for (const [id] of fresh) await settled(`visits ${id}`);
  }

  /** What a crash kept from the outbox goes there now; what was sent to the end is forgotten. */
  async function settle() {
    const abouts = await look();
    if (abouts.length < (await vault.keys('interview ')).length) { // kept before they had words beside them
      for (const all of await vault.all('interview ')) await vault.put(`interview ${all.response}`, all, summary(all));
      await look();
    }
    await mend();
    await count();
    await forget();
  }
  /** It is in the outbox: nobody need look there again, unless more was said since. */
  const settled = (id, last) => vault.amend(id, (about) => about && about.last === last && { about: { ...about, settled: true } });
  const add = async (items) => !training && items.length && outbox.add(items);

  /** Wipe interviews that were submitted and wholly confirmed. */
  async function forget() {
    if (training) return;
    for (const [id, { response, submitted, last }] of interviews) {
      if (!submitted || waiting.get(id)) continue;
      if (last && ((await outbox.unknown([last])).size || (await outbox.waiting([last])).size)) continue; // on its way there
      await wipe(response);
      await remember(await outbox.receipts(id)); // perhaps it was another tab that got them, and did not live to tell
      await outbox.forget(id);
      interviews.delete(id);
    }
  }

  /** The interview of a response as it is now, changed, and kept as one thing; again if another tab said more meanwhile. */
  async function within(response, change) {
    for (;;) {
      const { kept, about } = await whole(response);
      const changed = await change(kept);
      if (changed === kept) return kept;
      const sealed = await vault.seal(JSON.stringify(changed));
      const said = await vault.amend(`interview ${response}`, (now) => now?.events === about?.events && {
        put: [[`interview ${response}`, sealed]], gone: `said ${response} `, about: summary(changed),
      });
      if (!said) continue;
      hold(interviews, changed.case, said);
      return changed;
    }
  }

  /** Interviews that the server knows, perhaps begun on another phone: joined with what only this phone has. */
  async function adopt(begun) {
    for (const { case: id, version, response, events, start, hidden } of begun) {
      await within(response, (kept) => {
        // a question that came back: the server has the rest, and only what it lets out is kept here
        if (start) return kept?.start ? kept : { case: id, version, response, start, hidden, events, sent: 0 };
        const known = new Set(events.map((event) => event.id));
        const own = (kept?.events ?? []).filter((event) => !known.has(event.id));
        const all = [...events, ...own];
        if (kept?.sent === events.length && kept.events.length === all.length) return kept; // nothing new
        return { case: id, version, response, events: all, sent: events.length };
      });
    }
  }

  /** Forget everything, whatever it is. */
  async function erase() {
    await vault.destroy();
    await outbox.destroy(true);
    await eraseAll();
  }

  /** Other tabs of this phone learn what was kept and sent here. */
  const others = new BroadcastChannel(name);
  let changed = () => {};
  others.addEventListener('message', async ({ data }) => {
    await count(data.of);
    changed();
  });

  await Promise.all([keptList, look()]);
  await mend(FEW); // what a page left behind that was closed at once
  await recall(); // enough for the first look at the list; `settle` does the rest

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
    cases: () => (list?.cases ?? []).map(asHere),
    /** One of them, or undefined. */
    case: (id) => byId.has(id) ? asHere(byId.get(id)) : undefined,
    /** @returns {import('./field-list.mjs').Carriage} */
    carried: (id) => ({ unsent: 0, tried: false, aside: '', receipt: '', at: 0, ...confirmed[id], ...waiting.get(id) }),

    /** Fetch the list; what this phone has recorded and the server confirmed before is in it. */
    async refresh() {
      if (training) return;
      const answer = await fetch('/field/list', {
        credentials: 'same-origin', cache: 'no-store', redirect: 'manual',
        headers: { accept: 'application/json', ...self(phone, unsent) },
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
      listed({ ...fresh, begun: undefined });
      await vault.put('list', list);
      await adopt(fresh.begun);
      const waits = await outbox.waiting([...[...attempts.values()].flat(), ...listings.values()].map(({ id }) => id));
      const over = [...listings].filter(([, { id }]) => !waits.has(id)).map(([id]) => `listing ${id}`);
      for (const [id, kept] of attempts) {
        const left = kept.filter((attempt) => waits.has(attempt.id));
        if (!left.length) over.push(`visits ${id}`);
        else if (left.length < kept.length) await vault.put(`visits ${id}`, left, besideVisits(left));
      }
      await vault.remove(...over);
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
      if (told.receipts.length) others.postMessage({});
      return told;
    },

    /** Begin the interview of a case, or find the one that was begun: a button pressed in two tabs begins one. */
    begin: (id, opened) => navigator.locks.request(`${name} begin ${id}`, async () => {
      for (const about of await vault.abouts('interview ')) { // perhaps another tab's
        if (about.case !== id || about.submitted) continue;
        hold(interviews, id, about);
        return;
      }
      const response = (training ? TRAINING : '') + hexOf(16);
      const first = opened(response);
      await within(response, () => ({ case: id, version: first.version, response, events: [first] }));
      const visit = visitOf(first);
      await keepVisit(visit);
      await add([item(id, 'events', first), item(id, 'attempts', visit)]);
      await count([id]);
    }),

    /** An interview with all that was said in it; `surplus` is how much of that was said twice. */
    async read(response) {
      const { kept: found, about } = await whole(response);
      return found && { ...found, surplus: (about?.events ?? found.events.length) - found.events.length };
    },

    /**
     * Keep events of an interview; resolves when they are on the disk, with the number of events kept of it now (0: it is
     * no longer on this phone, and they are sent all the same). They go into the outbox once the next page is seen, except
     * the last ones, which are waited for; what a crash keeps from there goes there when the app opens.
     */
    async say(response, id, events) {
      const last = events.at(-1);
      const page = await vault.seal(JSON.stringify(events));
      const about = await vault.amend(`interview ${response}`, (before) => before && {
        put: [[ofPage(response, before.events), page]],
        about: { ...before, events: before.events + events.length, submitted: last.kind === 'submitted', last: last.id, settled: false },
      });
      if (about) hold(interviews, id, about);
      const over = !about || about.submitted;
      const sending = afterwards(over ? 0 : 100, async () => {
        await add(events.map((event) => item(id, 'events', event)));
        if (about?.submitted && !training) { // the last chance for what a crashed tab left behind
          const { kept: all } = await whole(response);
          const made = [...ownEvents(all), ...(about.visit ? [item(id, 'attempts', visitOf(all.events[0]))] : [])];
          const lost = await outbox.unknown(made.map((one) => one.id));
          await add(made.filter((one) => lost.has(one.id)));
        }
        if (about && !training) await settled(`interview ${response}`, last.id);
        await count([id]);
        changed();
        others.postMessage({ of: [id] });
      });
      if (over) await sending;
      return about?.events ?? 0;
    },

    /** Keep a picture of an interview; it is sent after the answers that are waiting already. */
    async picture(response, id, { digest, content }) {
      await vault.put(`photo ${response} ${digest}`, content);
      const made = { id: `${response}-${digest.slice(0, 32)}`, case: id, response, at: Date.now(), author: account, mode: 'visit', content };
      await add([item(id, 'pictures', made)]);
      await count([id]);
    },

    /** A picture that this phone holds, in base64; undefined for one that another phone took. */
    seen: (response, digest) => vault.get(`photo ${response} ${digest}`),

    /** Keep a visit. */
    async visit(attempt) {
      const made = training ? { ...attempt, id: TRAINING + attempt.id } : attempt;
      await keepVisit(made);
      await add([item(attempt.case, 'attempts', made)]);
      await count([attempt.case]);
    },

    /** Keep that the list does not say what is there. */
    async found(listing) {
      const made = training ? { ...listing, id: TRAINING + listing.id } : listing;
      await vault.put(`listing ${made.case}`, made);
      hold(listings, made.case, made);
      await add([item(made.case, 'listings', made)]);
      await count([made.case]);
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
      listed(made);
      await vault.put('list', made);
    },

    settle,
    erase,
    /** Whether something can have been done at this time: not later than now, nor on a day before the visits began. */
    couldBe: (at) => at <= Date.now() && (!list?.opens || localDay(at) >= (list.opens < localDay(Date.now()) ? list.opens : localDay(Date.now()))),
    today: () => localDay(Date.now()),
  };
}
