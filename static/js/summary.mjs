/** Everything answered, on one page: filled from the booklet's pattern, as survey/web/interview.py's `summary` is. */

import { formId } from './events.mjs';

/** Everything answered, in order, before it is sent. */
export function summary(booklet, interview, csrf) {
  const made = booklet.copy('check');
  const pattern = made.querySelector('section');
  const sections = [];
  for (const step of interview.steps) {
    const { page, row, section } = step;
    const asked = interview.walk.visible(step).filter(({ kind }) => kind !== 'note' && kind !== 'preload');
    if (!asked.length) continue;
    const named = row && !page.of ? `: ${booklet.rowName(interview.walk, page.roster ?? page.each, row)}` : '';
    const title = booklet.fill(interview.walk, booklet.titles[section.id], row) + named;
    let part = sections.at(-1);
    if (part?.querySelector('h2').textContent !== title) {
      part = pattern.cloneNode(true);
      part.querySelector('h2').textContent = title;
      part.querySelector('dl').replaceChildren();
      sections.push(part);
    }
    const pages = booklet.pages.getElementById(`p-${page.id}${page.kind === 'list' ? '-row' : ''}`).content; // only read
    for (const { id } of asked) {
      const line = pattern.querySelector('dl').firstElementChild.cloneNode(true);
      const label = pages.querySelector(`[data-q="${CSS.escape(id)}"] .label`);
      const question = booklet.fill(interview.walk, (label.querySelector('label') ?? label).firstChild.data.trim(), row);
      const [name, answer, act] = line.children;
      name.textContent = question;
      answer.textContent = booklet.said(interview.walk, id, row) || booklet.say('check.none');
      if (interview.locked(step)) act.replaceChildren();
      else {
        act.firstElementChild.href = `${interview.url(step)}?change=1`;
        act.querySelector('span').textContent = `: ${question}`;
      }
      part.querySelector('dl').append(line);
    }
  }
  pattern.replaceWith(...sections);
  const form = made.querySelector('form');
  form.action = `${interview.facts.base}/submit`;
  form.elements.csrf.value = csrf;
  form.elements.form.value = formId();
  return made;
}
