/**
 * An interview at the door, without a network: begun here, page by page from the booklet of the questionnaire.
 *
 * The pages, what a form comes to and where it leads are those of the household's own script; this brings the answers
 * from the phone's store and keeps them there.
 */

import { fetchBooklet, formOf } from './booklet.mjs';
import { formId, sha256 } from './events.mjs';
import { groups, showGroup } from './field-group.mjs';
import { message, part, say, template } from './field-pages.mjs';
import { takePictures } from './field-photo.mjs';
import { Interview } from './interview.mjs';
import { place } from './response.mjs';
import { summary } from './summary.mjs';

const timeOf = (id) => parseInt(id.replaceAll('-', '').slice(0, 12), 16);
const language = document.documentElement.lang;
const booklets = new Map();

/**
 * The first event of an interview: which questionnaire, in which language, on which day, of which household, and what the
 * sample knows of it beforehand.
 */
export function opened(store, id, response) {
  const made = formId(), { known } = store.case(id) ?? {};
  return {
    id: made, response, kind: 'opened', at: timeOf(made), author: store.account, mode: 'visit', language,
    version: store.list.version, today: store.today(), case: id, ...(known && { answers: known }),
  };
}

/** What a household writes down, as `receipt_number` in survey/web/ids.py. */
export async function receiptNumber(response) {
  const number = (await sha256(response)).slice(0, 5).reduce((sum, byte) => sum * 256 + byte, 0) % 10 ** 10;
  return String(number).padStart(10, '0').replace(/^(...)(...)/, '$1 $2 ');
}

async function bookletOf(store, version) {
  const url = store.list.booklets[`${version}/${language}`];
  if (!booklets.has(url)) booklets.set(url, await fetchBooklet(url));
  if (!booklets.get(url)) booklets.delete(url);
  return booklets.get(url);
}

let current = null;
/** The page that comes next, drawn while the answers before it were being kept. */
let ready = null;

/**
 * The interview of a case as it is kept now; the one on the screen goes on if nobody else has changed it. Undefined when it
 * is no longer on this phone, null without its questionnaire.
 */
async function interviewOf(store, id, one) {
  const kept = await store.read(one.response);
  if (!kept) return undefined;
  if (current?.facts.response === kept.response && current.events.length === kept.events.length) return current;
  const booklet = await bookletOf(store, kept.version);
  if (!booklet) return null;
  current = new Interview(booklet.q, {
    response: kept.response, author: store.account, mode: 'visit', language, base: `/interview/${id}`, number: one.draw,
    hidden: kept.hidden,
  }, kept.events, kept.start);
  return Object.assign(current, { booklet, surplus: kept.surplus });
}

/**
 * The page at an address ("/interview/HD-1/p/phone"), or the next one.
 * @param {{go: (address: string) => void, send: () => void}} shell `go` shows another address, `send` what waits to be sent
 */
export async function showInterview(view, store, id, address, shell) {
  const one = store.case(id);
  const mine = store.interview(id);
  if (!one || !mine) return message(view, 'not_found');
  const drawn = ready?.address === address && ready.response === mine.response ? ready : null;
  ready = null;
  const interview = drawn?.interview ?? await interviewOf(store, id, { ...mine, draw: one.draw });
  if (!interview) return message(view, interview === undefined ? 'not_found' : 'no_booklet'); // wiped since, or not fetched yet
  if (interview.response.submitted) return finished(view, interview);
  const { made, shown, instead } = drawn ?? draw(store, one, interview, address, shell);
  if (instead) return shell.go(instead);
  scrollTo(0, 0); // before the page changes, as in field.mjs
  view.replaceChildren(made);
  shown();
}

/**
 * A page of an interview, in no document yet: {made, shown} with what to do once it stands there, or {instead}, the address
 * that comes in place of one to which the path does not lead.
 */
function draw(store, one, interview, address, shell) {
  const { id } = one;
  const { booklet } = interview;
  const end = `/interview/${id}/check`;
  const at = address === end ? null : interview.at(address);
  if (!at && (address !== end || interview.next() !== end)) return { instead: interview.next() };

  const made = template('t-interview');
  Object.assign(part(made, 'comment'), { hidden: !one.comment, textContent: one.comment && say('returned', { comment: one.comment }) });
  Object.assign(part(made, 'stop'), { href: `#/case/${id}`, textContent: say('stop', { name: one.address || id }) });
  const frame = part(made, 'page');

  /** Keep what was said; the next page is drawn meanwhile, and shown when it is kept. */
  const keep = async (said, next, after) => {
    const again = interview.start && !interview.events.length; // the first word of a correction
    const events = again ? [await interview.event({}, 'reopened'), ...said] : said;
    const keeping = store.say(interview.response.id, id, events);
    const now = Object.assign(again || !after ? interview.with(events) : after, { booklet, surplus: interview.surplus });
    const over = events.at(-1).kind === 'submitted';
    const drawn = over ? null : draw(store, one, now, next, shell);
    const alone = await keeping === now.events.length + now.surplus; // else another tab has written too: read again
    current = alone ? now : null;
    ready = alone && { ...drawn, interview: now, address: next, response: now.response.id };
    shell.go(next);
    if (over) shell.send();
  };
  const response = interview.response.id;
  /** A page whose photo questions take pictures here; `sent` is what of it was not accepted. */
  const pictured = (page, { step }, sent) => {
    const node = page.querySelector('form');
    const kept = (id) => interview.response.answers[place(id, step.row)]?.value ?? '';
    takePictures(node, (id) => sent?.[id]?.[0] ?? kept(id), {
      keep: (made) => store.picture(response, id, made), find: (digest) => store.seen(response, digest), say,
    });
    return page;
  };
  const look = () => frame.querySelector('.summary, h1')?.focus({ preventScroll: true });
  const show = (page) => {
    frame.replaceChildren(page);
    const form = frame.querySelector('form');
    let sending = false;
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (sending) return;
      sending = true;
      const sent = formOf(form);
      if (!at) return keep([await interview.submit(sent)], address);
      const said = await interview.save(at, sent);
      if (!said.findings) return keep(said.events, said.next);
      show(pictured(booklet.page(interview, at, '', sent, said.findings), at, sent));
      look();
      scrollTo(0, 0);
    });
    if (at && !at.remove && form.querySelector('[data-q]')) {
      const live = () => {
        const { walk, step } = interview.trial(at, formOf(form));
        booklet.open(form, walk, step);
      };
      form.addEventListener('change', live);
      live();
    }
  };
  const showSeveral = () => {
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: booklet.say('continue') });
    frame.append(button);
    const group = showGroup(frame, booklet, interview, at, pictured);
    let sending = false;
    const send = async (event) => {
      event.preventDefault();
      if (sending) return;
      sending = true;
      const { events, next, now, wrong } = await group.save();
      if (!wrong) return keep(events, next, now);
      if (events.length) await store.say(interview.response.id, id, events);
      sending = false;
    };
    button.addEventListener('click', send);
    frame.addEventListener('submit', send);
  };
  if (!at) show(summary(booklet, interview, ''));
  else {
    if (!at.remove && !frame.previousElementSibling.matches('.progress')) frame.before(booklet.progress(interview, at.step));
    if (groups(interview, at)) showSeveral();
    else show(at.remove ? booklet.page(interview, at, '') : pictured(booklet.page(interview, at, ''), at));
  }
  return { made, shown: look };
}

async function finished(view, interview) {
  const made = template('t-done');
  part(made, 'said').textContent = say('finished_phone');
  part(made, 'number').textContent = await receiptNumber(interview.response.id);
  scrollTo(0, 0);
  view.replaceChildren(made);
  view.querySelector('h1').focus();
}
