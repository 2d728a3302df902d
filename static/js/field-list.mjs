/**
 * Which households an official sees, in which order, and how far what was said of each has come. Pure: the phone's
 * clock and its store are handed in.
 *
 * @typedef {{id: string, commune: string, state: string, hamlet?: string, address?: string, attempts?: number,
 *   last?: string, last_at?: number, appointment?: string, draw?: number, web?: boolean, place?: string, comment?: string, listing?: string, households?: number}} Case
 * @typedef {'today'|'open'|'finished'|'unsent'|'all'} Filter
 * @typedef {{unsent: number, tried: boolean, aside: string, receipt: string, at: number}} Carriage what the phone
 *   knows of everything said about one household: `tried` has left at least once, `aside` why a supervisor must look
 */

const finished = ({ state }) => state === 'complete' || state === 'closed';

/** Without tone marks and case, so that "so 5 ngo cho" finds "Số 5, ngõ Chợ". */
export const unmarked = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').replace(/đ/gi, 'd').toLowerCase();

/** The same, remembered: a thousand households are looked through at every letter that is typed. */
const plain = new Map();
const looked = (text) => {
  if (!plain.has(text)) plain.set(text, unmarked(text));
  return plain.get(text);
};

/** House 2 before house 10, in Vietnamese order. */
const order = new Intl.Collator('vi', { numeric: true });

/** The local day of a time: "2026-11-23". */
export function localDay(milliseconds) {
  const date = new Date(milliseconds);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, '0')).join('-');
}

/**
 * Whether a household is to be visited today: an open one with an appointment today or missed, or without one and not
 * visited today already; one of which a question was sent back, always.
 */
export function dueOn(day, one) {
  if (finished(one)) return false;
  if (one.state === 'returned') return true;
  if (one.appointment) return one.appointment.slice(0, 10) <= day;
  return !one.last_at || localDay(one.last_at) < day;
}

/**
 * The cards of a filter and a search, ordered by hamlet and address; appointments of the day come first.
 * @param {Case[]} cases
 * @param {{filter: Filter, find: string, day: string, carried: (id: string) => Carriage}} view
 * @returns {{hamlet: string, commune: string, cases: Case[]}[]}
 */
export function arrange(cases, { filter, find, day, carried }) {
  const keep = {
    today: (one) => dueOn(day, one),
    open: (one) => !finished(one),
    finished,
    unsent: (one) => carried(one.id).unsent > 0,
    all: () => true,
  }[filter];
  const wanted = unmarked(find).split(/\s+/).filter(Boolean);
  const hit = (one) => {
    const text = wanted.length ? looked(`${one.id} ${one.address ?? ''} ${one.hamlet ?? ''} ${one.commune}`) : '';
    return wanted.every((word) => text.includes(word));
  };
  const groups = new Map();
  for (const one of cases) {
    if (!keep(one) || !hit(one)) continue;
    const name = `${one.commune}\0${one.hamlet ?? ''}`;
    if (!groups.has(name)) groups.set(name, { commune: one.commune, hamlet: one.hamlet ?? '', cases: [] });
    groups.get(name).cases.push(one);
  }
  const soon = (one) => (one.appointment?.slice(0, 10) === day && !finished(one) ? one.appointment : '~');
  const before = (a, b) => (soon(a) < soon(b) ? -1 : soon(a) > soon(b) ? 1 : order.compare(a.address || a.id, b.address || b.id));
  const sorted = [...groups.values()].sort((a, b) => order.compare(a.commune, b.commune) || order.compare(a.hamlet, b.hamlet));
  for (const group of sorted) group.cases.sort(before);
  return sorted;
}

/** Where everything said about a household is: 'nothing', 'phone', 'sent' (no receipt yet), 'confirmed' or 'aside'. */
export function standing({ unsent, tried, aside, receipt }) {
  if (unsent) return tried ? 'sent' : 'phone';
  if (aside) return 'aside';
  return receipt ? 'confirmed' : 'nothing';
}

/** A link that opens whatever map the phone has, also one that works without a network. */
export function mapLink({ place = '', address = '', hamlet = '', commune = '' }) {
  const words = encodeURIComponent([address, hamlet, commune].filter(Boolean).join(', '));
  return place ? `geo:${place}?q=${place}(${words})` : `geo:0,0?q=${words}`;
}

/** Which of the households behind one line is interviewed: `drawn_of` in survey/fieldwork/listing.py. */
export const drawnOf = (draw, number) => Math.floor(((draw * 7919) % 1) * number) + 1;

/** The case after what this phone found instead of the list and the server may not know yet. */
export function withListing(one, found) {
  if (!found) return one;
  const open = one.state === 'closed' && one.listing === 'gone' ? 'visited' : one.state;
  const state = found.kind === 'gone' && !['complete', 'returned'].includes(one.state) ? 'closed' : open;
  return { ...one, state, listing: found.kind, households: found.number };
}

/** The case as it stands after what this phone has recorded and the server may not know yet. */
export function withAttempts(one, attempts, comesBack) {
  return attempts.reduce((found, { at, outcome, appointment = '' }) => (at < (found.last_at ?? 0) ? { ...found, attempts: (found.attempts ?? 0) + 1 } : {
    ...found,
    attempts: (found.attempts ?? 0) + 1,
    last: outcome,
    last_at: at,
    appointment,
    state: found.state === 'complete' || found.state === 'returned' ? found.state
      : !comesBack(outcome) ? 'closed' : found.state === 'started' || outcome === 'interviewed' ? 'started' : 'visited',
  }), one);
}
