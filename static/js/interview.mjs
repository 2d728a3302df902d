/**
 * One interview on the phone: where it goes on, and what a page's form comes to. The twin of survey/web/steps.py,
 * forms.py and the addresses of interview.py; nothing here looks at the page or the network.
 */

import { readForm } from './checks.mjs';
import { event, formId } from './events.mjs';
import { fold, key, place } from './response.mjs';
import { Walk, drawRow, isList } from './routing.mjs';

const isRow = (step) => step.page.kind === 'list' && !isList(step);
const parent = (row) => row.slice(0, Math.max(row.lastIndexOf('.'), 0));

export class Interview {
  /**
   * @param {object} q the published questionnaire
   * @param {{response: string, author: string, mode: string, language: string, base: string, number: number,
   *   hidden?: string[]}} facts `base` is the address of the interview, `number` the case's own for the draw of a person,
   *   `hidden` are places that somebody else answers
   * @param {object[]} events all there are, or those since `start`
   * @param {object} [start] the response as the server knew it
   */
  constructor(q, facts, events, start, response = fold(facts.response, events, start)) {
    Object.assign(this, { q, facts, events, start, response, walk: new Walk(q, response) });
  }

  /** The path, without what somebody else answers: walked when it is first asked for. */
  get steps() {
    const hidden = this.facts.hidden ?? [];
    return (this.path ??= this.walk.steps.filter(({ page, row }) => !hidden.includes(place(page.id, row))));
  }

  /** The interview after some more events. */
  with(events) {
    if (this.following?.events !== events) { // asked twice for each page: where it leads to, and what is shown there
      const after = fold(this.response.id, events, this.response);
      this.following = { events, made: new Interview(this.q, this.facts, [...this.events, ...events], this.start, after) };
    }
    return this.following.made;
  }

  step(id, row = '') { return this.steps.find((step) => step.page.id === id && step.row === row); }
  url({ page, row }) { return `${this.facts.base}/p/${page.id}${row && `/${row}`}`; }
  listUrl({ page, row }) { return this.url({ page, row: parent(row) }); }
  locked({ page }) { return this.response.locked.has(page.roster); }

  next() {
    const step = this.steps.find((one) => !this.walk.isDone(one));
    return step ? this.url(step) : `${this.facts.base}/check`;
  }

  after(step, change) {
    const at = this.steps.findIndex((one) => this.url(one) === this.url(step));
    if (change || at < 0) return this.next();
    if (isRow(step)) return this.listUrl(step);
    const open = this.steps.slice(0, at + 1).find((one) => !this.walk.isDone(one));
    const following = open ?? this.steps.slice(at + 1).find((one) => !isRow(one));
    return following ? this.url(following) : `${this.facts.base}/check`;
  }

  before(step) {
    if (isRow(step)) return this.listUrl(step);
    const earlier = this.steps.filter((one) => !isRow(one));
    const at = earlier.findIndex((one) => this.url(one) === this.url(step));
    return at > 0 ? this.url(earlier[at - 1]) : '';
  }

  addUrl(step) { return `${this.url({ page: step.page, row: '' })}/${step.row && `${step.row}.`}add`; }

  /** What stands at an address: {step, add, remove, change}; null where the path does not lead (any more). */
  at(address) {
    const { pathname, searchParams } = new URL(address, 'http://x');
    const [page, last = '', act] = pathname.slice(this.facts.base.length).split('/').slice(2);
    const add = /(^|\.)add$/.test(last);
    const step = this.step(page, add ? parent(last) : last);
    if (!step || ((add || isRow(step)) && this.locked(step)) || (add && !isList(step))) return null;
    return { step, add, remove: act === 'remove', change: searchParams.get('change') === '1' };
  }

  /** The interview as it would be with one more row, and the step that asks about it. */
  withRow(step, row) {
    const { roster } = step.page;
    const rows = { ...this.response.rows, [roster]: [...this.response.rows[roster] ?? [], row] };
    const response = { ...this.response, rows };
    return { response, walk: new Walk(this.q, response), step: { ...step, row } };
  }

  /** The walk as it would be with what a page's form says now, for the questions that this opens or closes. */
  trial({ step: at, add }, form) {
    const { response, walk, step } = add ? this.withRow(at, form.row[0]) : { ...this, step: at };
    const said = at.page.questions.map(({ id }) => key(id, step.row)).filter((name) => name in response.answers);
    const others = { ...response.answers };
    for (const name of said) delete others[name];
    const before = said.length ? new Walk(this.q, { ...response, answers: others }) : walk;
    const { answers } = readForm(this.q, before.response, step, form, before);
    const same = !Object.keys(answers).length; // an empty page, as it is when it is drawn
    return { walk: same ? before : new Walk(this.q, { ...response, answers: { ...others, ...answers } }), step };
  }

  event(form, kind, facts, answers) { return event(this.facts, form.form?.[0] || formId(), kind, facts, answers); }

  /** What a form comes to: {events, next} to keep and where to go, or {findings}. */
  async save({ step, add, remove, change }, form) {
    const { page, row } = step;
    const found = (code, values) => ({ findings: [{ code, where: 'list', values, severity: 'error' }] });
    if (remove) {
      return { events: [await this.event(form, 'row_removed', { roster: page.roster, row })], next: this.listUrl(step) };
    }
    if (add) return this.saveRow(step, form, found);
    if (page.kind === 'draw' && !(page.draw in this.response.drawn)) {
      const { roster } = this.q.draws[page.draw];
      const drawn = { draw: page.draw, ...drawRow(this.q, this.response, page.draw, this.facts.number) };
      return { events: [await this.event(form, 'locked', { roster }), await this.event(form, 'drawn', drawn)], next: this.url(step) };
    }
    if (isList(step)) {
      const { minimum = 0 } = this.q.rosters[page.roster];
      const rows = this.walk.rows(page.roster, row);
      if (rows.length < minimum) return found('too_few', { n: minimum });
      const open = rows.find((one) => this.step(page.id, one) && !this.walk.isDone(this.step(page.id, one)));
      if (open) return found('unfinished', { row: open, question: page.questions[0].id });
      return this.kept(step, change, [await this.event(form, 'page_done', { page: page.id, ...(row && { row }) })]);
    }
    const { answers, findings } = readForm(this.q, this.response, step, form, this.walk);
    if (findings.length) return { findings, answers };
    if (page.kind !== 'notice' && page.kind !== 'draw') {
      return this.kept(step, change, [await this.event(form, 'answered', { page: page.id, row }, answers)]);
    }
    const events = [await this.event(form, 'page_done', { page: page.id, row })];
    if (Object.keys(answers).length) events.unshift(await this.event(form, 'answered', { page: page.id }, answers));
    return this.kept(step, change, events);
  }

  async saveRow(step, form, found) {
    const { roster, id } = step.page;
    const { maximum } = this.q.rosters[roster];
    if (this.walk.rows(roster, step.row).length >= maximum) return found('too_many', { n: maximum });
    const row = form.row[0];
    const trial = this.withRow(step, row);
    const { answers, findings } = readForm(this.q, trial.response, trial.step, form, trial.walk);
    if (findings.length) return { findings, answers };
    const events = [await this.event(form, 'row_added', { roster, row }), await this.event(form, 'answered', { page: id, row }, answers)];
    return { events, next: this.url(step) };
  }

  /** Where it leads is found when it is asked for: the whole path is walked for it. */
  kept(step, change, events) {
    const it = this;
    return { events, get next() { return it.with(events).after(step, change); } };
  }

  submit(form) { return this.event(form, 'submitted'); }
}
