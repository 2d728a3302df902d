/**
 * Several pages of an interview on one screen, for an official who reads them out: those that follow one another in a
 * section, for the same person, and are not answered yet. What an answer opens comes at once in its place, and what it
 * closes goes; each page stays a form of its own, so that what is kept is what page after page would have kept.
 */

import { formOf } from './booklet.mjs';

const MOST = 4; // pages on a screen: more is scrolled past unread

const alone = ({ page, section, row }) => `${section.id} ${row} ${page.kind ?? ''}`;

/** Whether the page at an address may have others below it: a new one, not one that somebody went back to. */
export const groups = (interview, at) => !(at.change || at.add || at.remove || at.step.page.kind || interview.start
  || interview.walk.isDone(at.step));

/** The interview as it would be with what a trial answers; nothing of it is kept. */
const as = (interview, { walk }) => (walk === interview.walk ? interview : Object.assign(
  Object.create(Object.getPrototypeOf(interview)), interview, { response: walk.response, walk, path: undefined, following: undefined },
));

/** The page that comes on the same screen after this one, or undefined; the rest of the path is not walked for it. */
function following({ walk }, at) {
  const { section, page, row } = at.step;
  for (const next of section.pages.slice(section.pages.indexOf(page))) {
    const rows = [];
    walk.take(next, (one) => rows.push(one));
    const found = rows[next === page ? rows.indexOf(row) + 1 : 0];
    if (found === undefined) continue;
    const step = { section, page: next, row: found };
    return alone(step) === alone(at.step) && !walk.isDone(step) ? { ...at, step } : undefined;
  }
}

/**
 * @param {HTMLElement} frame where the pages stand
 * @param {(page: DocumentFragment, at: object, sent?: object) => DocumentFragment} dress what else a page of this app has
 * @returns {{save: () => Promise<{events: object[], next: string, now: object, wrong: boolean}>}} what all of them come to, and the
 *   interview after it; where one is wrong it is shown with what is wrong, and the events are of those before it
 */
export function showGroup(frame, booklet, interview, first, dress) {
  const pages = new Map();
  let order = [];

  function page(view, at, sent, findings) {
    const node = document.createElement('div');
    node.append(dress(booklet.page(view, at, '', sent, findings), at, sent));
    node.querySelector('[data-part=continue]')?.remove();
    if (view.url(at.step) !== view.url(first.step)) {
      node.querySelector('[data-part=back]')?.remove();
      for (const title of node.querySelectorAll('h1')) {
        const lower = Object.assign(document.createElement('h2'), { className: title.className });
        lower.append(...title.childNodes);
        title.replaceWith(lower);
      }
    }
    return node;
  }

  function draw() {
    let view = interview;
    order = [];
    for (let at = first; at; at = order.length < MOST ? following(view, at) : undefined) {
      const url = view.url(at.step);
      if (!pages.has(url)) pages.set(url, page(view, at));
      const node = pages.get(url);
      order.push({ at, node });
      const form = node.querySelector('form');
      const trial = view.trial(at, formOf(form));
      booklet.open(form, trial.walk, trial.step);
      view = as(view, trial);
    }
    const nodes = order.map(({ node }) => node);
    for (const node of [...frame.children]) if (node.tagName === 'DIV' && !nodes.includes(node)) node.remove();
    nodes.forEach((node, number) => frame.children[number] !== node && frame.insertBefore(node, frame.children[number] ?? null));
  }

  async function save() {
    let now = interview;
    let last = null;
    const events = [];
    for (const { at, node } of order) {
      if (!now.walk.visible(at.step).length) continue; // closed by what was said above it
      const sent = formOf(node.querySelector('form'));
      const said = await now.save(at, sent);
      if (said.findings) {
        const again = page(now, at, sent, said.findings);
        pages.set(now.url(at.step), again);
        node.replaceWith(again);
        again.querySelector('.summary').focus();
        return { events, next: '', now, wrong: true };
      }
      events.push(...said.events);
      last = said;
      now = now.with(said.events);
    }
    return { events, next: last.next, now, wrong: false };
  }

  draw();
  frame.addEventListener('change', draw);
  return { save };
}
