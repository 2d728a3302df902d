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

/** The page that comes on the same screen after this one, or undefined. */
function following(interview, at) {
  const place = interview.steps.findIndex((step) => interview.url(step) === interview.url(at.step));
  const step = interview.steps[place + 1];
  return step && alone(step) === alone(at.step) && !interview.walk.isDone(step) ? { ...at, step } : undefined;
}

/**
 * @param {HTMLElement} frame where the pages stand
 * @param {(page: DocumentFragment, at: object, sent?: object) => DocumentFragment} dress what else a page of this app has
 * @returns {{save: () => Promise<{events: object[], next: string, wrong: boolean}>}} what all of them come to; where one is
 *   wrong it is shown with what is wrong, and the events are of those before it
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
      view = view.as(trial);
    }
    const nodes = order.map(({ node }) => node);
    for (const node of [...frame.children]) if (node.tagName === 'DIV' && !nodes.includes(node)) node.remove();
    nodes.forEach((node, number) => frame.children[number] !== node && frame.insertBefore(node, frame.children[number] ?? null));
  }

  async function save() {
    let now = interview;
    let next = '';
    const events = [];
    for (const { at, node } of order) {
      const here = now.at(now.url(at.step));
      if (!here) continue;
      const sent = formOf(node.querySelector('form'));
      const said = await now.save(here, sent);
      if (said.findings) {
        const again = page(now, here, sent, said.findings);
        pages.set(now.url(at.step), again);
        node.replaceWith(again);
        again.querySelector('.summary').focus();
        return { events, next, wrong: true };
      }
      events.push(...said.events);
      next = said.next;
      now = now.with(said.events);
    }
    return { events, next, wrong: false };
  }

  draw();
  frame.addEventListener('change', draw);
  return { save };
}
