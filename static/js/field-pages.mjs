/** The list and the page of one household, filled from the templates of the app's document. */

import { formId } from './events.mjs';
import { arrange, drawnOf, mapLink, standing } from './field-list.mjs';

const FIRST = 12; // cards drawn before the first look: more than any phone shows at once
const AT_ONCE = 40; // the rest follow as one scrolls, by so many

/** @param {string} id */
export const template = (id) => /** @type {HTMLTemplateElement} */ (document.getElementById(id)).content.cloneNode(true);
export const part = (within, name) => within.querySelector(`[data-part="${name}"]`);
const told = (id) => JSON.parse(document.getElementById(id)?.textContent ?? '{}');

const WORDS = told('words');
export const OUTCOMES = told('outcomes');
const APPOINTMENTS = told('appointments');
const NOTES = told('notes');
const language = document.documentElement.lang;

/** The words under a key with what is filled in. */
export const say = (key, values = {}) => WORDS[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const clock = new Intl.DateTimeFormat(language, { dateStyle: 'short', timeStyle: 'short' });
export const when = (time) => (Number.isNaN(+new Date(time)) ? String(time) : clock.format(new Date(time)));

const facts = (one) => [
  one.comment && say('returned', { comment: one.comment }),
  one.appointment && say('appointment', { time: when(one.appointment) }),
  one.attempts && say('visits', { n: one.attempts }), // that nobody has been there is said by the state
  one.state !== 'complete' && one.last && OUTCOMES[one.last]?.says,
].filter(Boolean).join(' · ');

/** Where everything said about a household is, in words. */
function carriage(node, carried) {
  const where = standing(carried);
  node.dataset.where = where;
  node.textContent = where === 'nothing' ? '' : say(where, {
    n: carried.unsent, time: when(carried.at), receipt: carried.receipt, why: carried.aside?.[language] ?? carried.aside,
  });
  node.hidden = where === 'nothing';
}

function state(node, one) {
  node.textContent = say(`state.${one.state}`);
  node.classList.add(one.state);
}

function card(store, one) {
  const made = template('t-card');
  const link = made.querySelector('a');
  link.href = `#/case/${one.id}`;
  link.firstElementChild.textContent = one.address || one.id;
  part(made, 'facts').textContent = [one.address && one.id, facts(one)].filter(Boolean).join(' · ');
  carriage(part(made, 'carriage'), store.carried(one.id));
  state(made.querySelector('.state'), one);
  return made;
}

/**
 * The list. Cards beyond the first screens are drawn when they come near, or when the button is pressed.
 * @returns {() => void} draws it again with what the store knows now
 */
export function showList(view, store, filter) {
  const made = template('t-list');
  const [hamlets, more, found] = ['hamlets', 'more', 'found'].map((name) => part(made, name));
  const find = made.getElementById('find');
  for (const link of made.querySelectorAll('[data-filter]')) {
    if (link.dataset.filter === filter) link.setAttribute('aria-current', 'page');
  }
  let all = [];
  let drawn = 0;
  const draw = (most) => {
    const fragment = document.createDocumentFragment();
    for (const end = Math.min(drawn + most, all.length); drawn < end; drawn += 1) {
      const { group, one } = all[drawn];
      if (!group.list) {
        const section = template('t-hamlet');
        section.querySelector('h2').textContent = `${group.commune} · ${group.hamlet || say('hamlet_unknown')}`;
        group.list = section.querySelector('ul');
        fragment.append(section);
      }
      group.list.append(card(store, one));
    }
    hamlets.append(fragment);
    more.hidden = drawn === all.length;
  };
  /** As many as were drawn before stay drawn, so that nothing moves under the finger when something was sent. */
  const fill = (most) => {
    const cases = store.cases();
    const done = cases.filter((one) => one.state === 'complete' || one.state === 'closed').length;
    const progress = view.querySelector('progress');
    part(view, 'progress').textContent = say('progress', { done, all: cases.length });
    const checks = part(view, 'checks');
    checks.hidden = !store.list.checks || !navigator.onLine; // asked on the ordinary pages, which need a network
    checks.firstElementChild.textContent = say('checks', { n: store.list.checks });
    progress.value = cases.length ? done / cases.length : 0;
    const groups = arrange(cases, { filter, find: find.value, day: store.today(), carried: store.carried });
    all = groups.flatMap((group) => group.cases.map((one) => ({ group, one })));
    found.textContent = all.length ? say('found', { n: all.length }) : say('none_found');
    found.classList.toggle('hidden', all.length > 0);
    hamlets.replaceChildren();
    drawn = 0;
    draw(most);
  };
  more.querySelector('button').addEventListener('click', () => draw(AT_ONCE));
  new IntersectionObserver(([seen]) => seen.isIntersecting && draw(AT_ONCE), { rootMargin: '600px' }).observe(more);
  find.addEventListener('input', () => fill(FIRST));
  find.form.addEventListener('submit', (event) => event.preventDefault());
  view.replaceChildren(made);
  fill(FIRST);
  return () => fill(Math.max(drawn, AT_ONCE));
}

/**
 * One household: what is known of it, the interview, and the outcome of a visit.
 * @returns {() => void} brings what may have changed up to date, without touching what is being typed
 */
export function showCase(view, store, id, { begin, resume }) {
  const one = store.case(id);
  if (!one) return message(view, 'not_found');
  const made = template('t-case');
  const get = (name) => part(made, name);
  made.querySelector('h1').textContent = one.address || one.id;
  get('map').querySelector('a').href = mapLink(one);
  get('map').hidden = !one.address && !one.place;
  get('qr').href = `/field/cases/${id}/code`;
  get('keyed').href = `/field/cases/${id}?how=1`;
  const [history, interview] = [get('history'), get('interview')];
  const nodes = Object.fromEntries(['facts', 'carriage', 'complete', 'act', 'web', 'qr', 'keyed', 'qr-offline', 'takeover', 'record', 'comment', 'listing', 'listed']
    .map((name) => [name, get(name)]));
  const stateNode = made.querySelector('.state');
  interview.addEventListener('click', () => begin(one));
  takeOver(get('takeover-form'), get('takeover-error'), store, id, resume);
  listing(get('listing-form'), get('listing-number'), store, id);
  attempt(get('attempt'), get('outcome'), get('error'), get('appointment'), get('locate'), get('located'), store, id);

  const fill = () => {
    const now = store.case(id) ?? one;
    const mine = store.interview(id);
    const complete = now.state === 'complete';
    stateNode.className = 'state';
    state(stateNode, now);
    nodes.facts.textContent = [now.hamlet, now.commune, now.id, facts({ ...now, comment: '' })].filter(Boolean).join(' · ');
    carriage(nodes.carriage, store.carried(id));
    nodes.complete.hidden = !complete;
    nodes.comment.hidden = !now.comment || complete;
    nodes.comment.textContent = now.comment && say('returned', { comment: now.comment });
    nodes.act.hidden = complete;
    nodes.record.hidden = complete;
    nodes.listing.hidden = complete;
    nodes.listed.textContent = now.listing && now.listing !== 'listed' ? say(`listed_${now.listing}`, { n: now.households, which: drawnOf(now.draw, now.households) }) : '';
    nodes.listed.hidden = !nodes.listed.textContent;
    nodes.web.hidden = !now.web || Boolean(mine);
    interview.textContent = say(mine ? 'resume' : 'interview');
    const online = navigator.onLine && !store.training;
    nodes.qr.parentElement.hidden = !online || store.carried(id).unsent > 0;
    nodes.keyed.parentElement.hidden = nodes.qr.parentElement.hidden || Boolean(mine);
    nodes['qr-offline'].hidden = online;
    nodes.takeover.hidden = !now.web || Boolean(mine) || store.training;
    const here = new Set(store.attempts(id).map((visit) => visit.id));
    const visits = [...(now.tried ?? []).filter((visit) => !here.has(visit.id)), ...store.attempts(id)].sort((a, b) => b.at - a.at);
    history.hidden = !visits.length;
    history.querySelector('ul').replaceChildren(...visits.map(({ at, outcome, note, mode, codes = [] }) => {
      const line = document.createElement('li');
      const what = Object.assign(document.createElement('strong'), { textContent: OUTCOMES[outcome].says });
      const more = [when(at), mode === 'phone' && say('by_phone'), ...codes.map((code) => NOTES[code]), note].filter(Boolean).join(' · ');
      line.append(what, ' ', Object.assign(document.createElement('span'), { className: 'hint', textContent: more }));
      return line;
    }));
  };
  view.replaceChildren(made);
  fill();
  return fill;
}

function takeOver(form, error, store, id, resume) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    error.textContent = '';
    try {
      const response = await store.takeOver(id, form.elements['takeover-code'].value);
      if (response) resume(id);
      else error.textContent = say('takeover_wrong');
    } catch {
      error.textContent = say('takeover_offline');
    }
  });
}

/** The list does not say what is there: what was found, and for a line with several households how many. */
function listing(form, number, store, id) {
  const several = () => ['split', 'merged'].includes(form.elements.kind.value);
  form.addEventListener('change', () => { number.hidden = !several(); });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const kind = form.elements.kind.value;
    const n = several() ? Number(form.elements.number.value) : 1;
    const wrong = !kind || (several() && !(Number.isInteger(n) && n >= 2 && n <= 50));
    form.querySelector('.error').textContent = wrong ? say('listing_number') : '';
    if (wrong) return;
    await store.found({ id: formId(), case: id, at: Date.now(), author: store.account, mode: 'visit', kind, number: n });
    form.dispatchEvent(new CustomEvent('kept', { bubbles: true }));
  });
}

function attempt(form, question, error, appointment, locate, located, store, id) {
  let place = null;
  const earlier = part(form, 'when');
  form.addEventListener('change', () => {
    const how = form.elements.how.value;
    for (const option of question.querySelectorAll('[data-by]')) {
      option.hidden = option.dataset.by !== how;
      if (option.hidden) option.firstElementChild.checked = false; // nobody at home is not said on the telephone
    }
    locate.parentElement.hidden = how === 'phone';
    appointment.hidden = !APPOINTMENTS.includes(form.elements.outcome.value);
  });
  locate.addEventListener('click', () => {
    located.textContent = say('locating');
    navigator.geolocation.getCurrentPosition(({ coords: { latitude, longitude, accuracy } }) => {
      place = { latitude, longitude, accuracy };
      located.textContent = say('located', { n: Math.ceil(accuracy) });
    }, () => { located.textContent = say('not_located'); }, { enableHighAccuracy: true, timeout: 20_000, maximumAge: 60_000 });
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const outcome = form.elements.outcome.value;
    question.classList.toggle('wrong', !outcome);
    error.textContent = outcome ? '' : say('outcome_needed');
    if (!outcome) return form.elements.outcome[0].focus();
    const { how, when: time } = form.elements;
    const at = time.value ? new Date(time.value).getTime() : Date.now();
    const wrong = !store.couldBe(at);
    earlier.classList.toggle('wrong', wrong);
    earlier.querySelector('.error').textContent = wrong ? say('when_needed') : '';
    if (wrong) return time.focus();
    const codes = [...form.querySelectorAll('[name=codes]:checked')].map((box) => box.value);
    await store.visit({
      id: formId(), case: id, at, author: store.account, mode: how.value, outcome, note: form.elements.note.value.trim().replace(/\p{Surrogate}/gu, '\ufffd'),
      appointment: appointment.hidden ? '' : form.elements.appointment.value, ...(codes.length && { codes }),
      ...(place && how.value === 'visit' && { place }),
    });
    form.dispatchEvent(new CustomEvent('kept', { bubbles: true }));
  });
}

/** A page that says one thing. */
export function message(view, key) {
  const made = template('t-message');
  made.querySelector('h1').textContent = say(key);
  made.querySelector('.lead').textContent = say(`${key}_text`);
  view.replaceChildren(made);
  return () => {};
}
