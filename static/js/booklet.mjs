/**
 * The pages of a booklet (survey/web/booklet.py), repeated and filled for one interview: the server drew them, the phone
 * only shows, hides and fills in. No string ever becomes markup: the document is parsed by the browser itself.
 */

import { plain } from './answers.mjs';
import { formId, hex } from './events.mjs';
import { place } from './response.mjs';
import { isList } from './routing.mjs';

const PIPE = /\$\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}/g;
const BEGINS = /(?:^|[.?!…:]\s|\n)\s*[“"(]?$/; // where a sentence begins
const SHORT = ['select_one', 'year', 'integer'];
const REASONS = { dont_know: '-dk', refused: '-rf' };

/** The booklet at an address, as a document with its questionnaire, or null when what came is something else. */
export function fetchBooklet(url) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open('GET', url);
    request.responseType = 'document';
    request.onloadend = () => {
      const pages = request.status === 200 && request.response;
      resolve(pages && pages.getElementById('rules') ? new Booklet(pages) : null);
    };
    request.send();
  });
}

export class Booklet {
  constructor(pages) {
    const told = (id) => JSON.parse(pages.getElementById(id).textContent);
    Object.assign(this, { pages, q: told('rules'), words: told('words'), missing: told('missing') });
    Object.assign(this, { titles: told('titles'), proxy: told('proxy') });
  }

  copy(id) { return document.importNode(this.pages.getElementById(id).content, true); }
  say(key, values = {}) { return this.words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]); }

  /** The words of an option, as they stand on its page. */
  label(walk, question, code) {
    const { page, question: asked } = walk.places[question];
    if (asked.rows || asked.kind === 'preload') return walk.label(question, code) ?? code;
    const pattern = this.pages.getElementById(`p-${page.id}${page.kind === 'list' ? '-row' : ''}`).content;
    const found = pattern.querySelector(`[name="${CSS.escape(question)}"] [value="${CSS.escape(code)}"],`
      + `[name="${CSS.escape(question)}"][value="${CSS.escape(code)}"]`) ?? pattern.querySelector(`[name="${CSS.escape(question)}.rank.${CSS.escape(code)}"]`);
    return (found?.matches('option') ? found : found?.nextElementSibling)?.firstChild.data ?? code;
  }

  /** A text with every ${question} filled in, seen from a row: survey/questionnaire/piping.py, read directly. */
  fill(walk, text, row) {
    return text.replace(PIPE, (_, name, at) => {
      const words = walk.places[name] && this.value(walk, name, row);
      if (!words) return '…';
      return BEGINS.test(text.slice(0, at)) ? words[0].toUpperCase() + words.slice(1) : words;
    });
  }

  /** What counts as the answer of a question seen from a row, in words; "" for none. */
  value(walk, name, row) {
    const { question } = walk.places[name];
    const found = plain(question.type, walk.get(name, walk.rowOf(name, row)));
    const codes = question.choices || question.list || question.rows;
    return [found ?? []].flat().map((one) => (codes ? this.label(walk, name, one) : String(one))).join(', ');
  }

  /** An answer in words; the reason where there is none, "" where nothing was said. */
  said(walk, id, row) {
    const answer = walk.response.answers[place(id, row)];
    if (!answer) return '';
    if (answer.missing) return this.missing[answer.missing];
    const { question } = walk.places[id];
    if (answer.value === true || question.kind === 'photo') return '✓';
    if (!question.choices && !question.list && !question.rows) return String(answer.value);
    return [answer.value].flat().map((code) => {
      const other = walk.response.answers[place(`${id}.${code}`, row)];
      return this.label(walk, id, code) + (other ? `: ${other.value}` : '');
    }).join('; ');
  }

  rowName(walk, roster, row) {
    return walk.rowName(roster, row) || (this.q.rosters[roster].count ? row : this.say('list.unnamed'));
  }

  pipe(node, walk, row) {
    const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      if (texts.currentNode.data.includes('${')) texts.currentNode.data = this.fill(walk, texts.currentNode.data, row);
    }
  }

  progress(interview, step) {
    const made = this.copy('progress');
    const { minutes, done, total, ...at } = interview.walk.progress(step);
    const [section, left] = made.querySelectorAll('span');
    section.textContent = this.say('section', { ...at, title: this.fill(interview.walk, this.titles[step.section.id], '') });
    left.textContent = minutes ? this.say('minutes', { n: minutes }) : '';
    made.querySelector('progress').value = done / total;
    return made;
  }

  /** A page filled in. `sent` and `findings` are of a form that was not accepted. */
  page(interview, { step, add, remove, change }, csrf, sent = null, findings = []) {
    const { page } = step;
    const row = add ? sent?.row[0] ?? (step.row && `${step.row}.`) + hex(crypto.getRandomValues(new Uint8Array(4))) : step.row;
    const trial = add ? interview.withRow(step, row) : { walk: interview.walk, step };
    const list = page.kind === 'list' && isList(step) && !add;
    const made = this.copy(remove ? 'remove' : `p-${page.id}${page.kind === 'list' && !list ? '-row' : ''}`);
    const form = made.querySelector('form');
    const url = add ? interview.addUrl(step) : interview.url(step);
    form.action = url + (remove ? '/remove' : change ? '?change=1' : '');
    for (const [name, value] of [['csrf', csrf], ['form', formId()], ['row', row]]) {
      if (name !== 'row' || add) form.prepend(Object.assign(document.createElement('input'), { type: 'hidden', name, value }));
    }
    if (remove) {
      made.querySelector('h1').textContent = this.say('list.remove_title', { name: this.rowName(interview.walk, page.roster, row) });
      made.querySelector('a').href = interview.listUrl(step);
      return made;
    }
    const back = add ? interview.url(step) : interview.before(step);
    const parts = (name) => made.querySelector(`[data-part="${name}"]`);
    const keep = (name, kept) => kept || parts(name)?.remove();
    keep('back', back);
    if (back) parts('back').firstElementChild.href = back;
    if (list) this.list(interview, step, parts, keep);
    if (page.kind === 'draw') this.drawn(interview, page, parts, keep);
    if (add && !interview.walk.rows(page.roster, step.row).length) made.querySelector('h1').textContent = this.say('list.first_title');
    this.pipe(made, trial.walk, row);
    this.questions(made, interview, trial, sent, findings);
    if (findings.length) made.querySelector('h1,h2').before(this.summary(interview, findings, made));
    return made;
  }

  list(interview, step, parts, keep) {
    const { roster, id } = step.page;
    const rows = interview.walk.rows(roster, step.row);
    const locked = interview.locked(step);
    keep('none', !rows.length);
    keep('count', rows.length);
    keep('done', rows.length);
    keep('locked', locked);
    keep('add', !locked);
    if (!locked) {
      const add = parts('add').firstElementChild;
      add.href = interview.addUrl(step);
      if (!rows.length) Object.assign(add, { className: 'button', textContent: this.say('list.first') });
    } else parts('done').textContent = this.say('continue');
    if (rows.length) parts('count').textContent = this.say('list.count', { n: rows.length });
    const pattern = parts('rows').firstElementChild;
    parts('rows').replaceChildren(...rows.map((row) => {
      const line = pattern.cloneNode(true);
      const name = this.rowName(interview.walk, roster, row);
      const links = line.querySelectorAll('a');
      line.querySelector('strong').textContent = name;
      line.querySelector('span').textContent = (step.page.questions ?? [])
        .filter((one) => one.id !== this.q.rosters[roster].name && SHORT.includes(one.kind))
        .map((one) => this.said(interview.walk, one.id, row)).filter(Boolean).join(', ');
      links.forEach((link, place) => {
        link.href = `${interview.url({ page: { id }, row })}${place ? '/remove' : ''}`;
        link.lastElementChild.textContent = ` ${name}`;
      });
      if (locked) line.querySelector('.acts').remove();
      return line;
    }));
    keep('rows', rows.length);
  }

  drawn(interview, { draw }, parts, keep) {
    const { drawn, eligible } = interview.response;
    const has = draw in drawn;
    keep('drawn', has);
    keep('draw', !has);
    keep('continue', has);
    if (!has) return;
    const [name, note] = parts('drawn').children;
    name.textContent = this.say('draw.chosen', { name: this.rowName(interview.walk, this.q.draws[draw].roster, drawn[draw]) });
    note.textContent = eligible[draw] > 1 ? this.say('draw.of', { n: eligible[draw] }) : this.say('draw.one');
  }

  questions(made, interview, { walk, step }, sent, findings) {
    for (const node of made.querySelectorAll('[data-q]')) {
      const id = node.dataset.q;
      const question = step.page.questions.find((one) => one.id === id);
      this.options(node, walk, question, step.row);
      if (walk.byProxy && this.proxy[id]) {
        const label = node.querySelector('.label label') ?? node.querySelector('.label');
        label.firstChild.data = this.fill(walk, this.proxy[id], step.row);
      }
      if (sent) refill(node, sent);
      else put(node, question, interview.response.answers, step.row);
      if (question.kind === 'preload') node.querySelector('dd').textContent = this.said(walk, id, step.row) || '…';
      const here = findings.filter(({ where }) => where === id);
      for (const { message, severity, code } of here) {
        const mild = severity === 'warning' || code === 'opened';
        const said = Object.assign(document.createElement('p'), {
          className: mild ? 'warning' : 'error', id: `e-${id}`, textContent: this.fill(walk, message, step.row),
        });
        (node.querySelector('legend') ?? node.querySelector('.label')).after(said);
        if (!mild) node.classList.add('wrong');
        const described = node.querySelector('fieldset,input[type=text],textarea');
        described.setAttribute('aria-describedby', `${described.getAttribute('aria-describedby') ?? ''} e-${id}`.trim());
        if (!mild) node.querySelector('input[type=text],textarea')?.setAttribute('aria-invalid', 'true');
      }
      if (here.some(({ code }) => code === 'soft_check')) this.confirmation(node, id);
    }
    this.open(made, walk, step);
  }

  confirmation(node, id) {
    const made = this.copy('confirm');
    for (const input of made.querySelectorAll('input')) input.name = id + input.name;
    (node.querySelector('fieldset') ?? node).append(made);
  }

  /** Show what is asked now and hide the rest: of a page as it stands, with what is being filled in. */
  open(made, walk, step) {
    const asked = walk.visible(step).map(({ id }) => id);
    for (const node of made.querySelectorAll('[data-q]')) node.hidden = !asked.includes(node.dataset.q);
  }

  options(node, walk, question, row) {
    if (question.rows) {
      const pattern = node.querySelector('.option');
      pattern.replaceWith(...walk.choices(question, row).map(({ code, label }) => {
        const made = pattern.cloneNode(true);
        made.firstElementChild.value = code;
        made.lastElementChild.textContent = label;
        return made;
      }));
    } else if (question.filter || question.opened) {
      const offered = walk.choices(question, row).map(({ code }) => code);
      for (const option of node.querySelectorAll('.option,.long option')) {
        const { value } = option.firstElementChild ?? option;
        if (value && !value.startsWith('-') && !offered.includes(value)) option.remove();
      }
    }
  }

  summary(interview, findings, made) {
    const summary = this.copy('summary');
    const tone = findings.every(({ code }) => code === 'opened') ? 'opened'
      : findings.every(({ severity }) => severity === 'warning') ? 'warning' : 'error';
    summary.firstElementChild.className = `summary ${tone}`;
    summary.querySelector('h2').textContent = this.say(`${tone}_summary`);
    const pattern = summary.querySelector('li');
    pattern.parentNode.replaceChildren(...findings.map(({ where, message, code, values }) => {
      const line = pattern.cloneNode(true);
      const node = made.querySelector(`[data-q="${CSS.escape(where)}"]`);
      const name = values?.row && this.rowName(interview.walk, interview.walk.places[values.question].page.roster, values.row);
      const label = node?.querySelector('.label').textContent.trim();
      line.firstElementChild.hash = node ? `q-${where}` : 'main';
      line.firstElementChild.textContent = node ? `${label}${/[?.!…:]$/.test(label) ? '' : ':'} ${message}` : this.say(`list.${code}`, { ...values, name });
      return line;
    }));
    return summary;
  }
}

/** What a form holds, as lists by name. */
export function formOf(form) {
  const sent = {};
  for (const [name, value] of new FormData(form)) (sent[name] ??= []).push(value);
  return sent;
}

function refill(node, sent) {
  for (const input of node.querySelectorAll('input,textarea,select')) {
    const values = sent[input.name] ?? [];
    if (input.type === 'radio' || input.type === 'checkbox') input.checked = values.includes(input.value);
    else input.value = values[0] ?? '';
  }
}

/** Put a kept answer into the controls of its question. */
function put(node, question, answers, row) {
  const answer = answers[place(question.id, row)];
  const texts = answer?.missing ? [] : [answer?.value ?? []].flat().map((one) => (one === true ? '1' : String(one)));
  const form = { [question.id]: texts, [`${question.id}.missing`]: [], [`${question.id}.remark`]: [answer?.remark ?? ''] };
  const reason = REASONS[answer?.missing];
  if (reason) [question.id, `${question.id}.missing`].forEach((name) => form[name].push(reason));
  if (question.kind === 'date' && texts[0]) {
    ['year', 'month', 'day'].forEach((part, index) => { form[`${question.id}.${part}`] = [texts[0].split('-')[index]]; });
  }
  if (question.kind === 'rank') texts.forEach((code, index) => { form[`${question.id}.rank.${code}`] = [String(index + 1)]; });
  for (const { name } of node.querySelectorAll('.specify input')) form[name] = [answers[place(name, row)]?.value ?? ''];
  refill(node, form);
}
