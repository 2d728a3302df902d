/**
 * Which pages, in which order: survey/questionnaire/routing.py over a published questionnaire
 * (survey/questionnaire/published.py), read directly. A condition sees only answers that are themselves on the path.
 */
import { chance, rowsUnder, scalar } from './answers.mjs';
import { dayOf, evaluate } from './conditions.mjs';
import { key, place } from './response.mjs';

/** Kinds of question to which nobody gives an answer. */
export const SILENT = ['note', 'calculate', 'preload'];
const LISTS = new WeakMap(), GIVEN = new WeakMap(), PARTS = new Map();
const above = (row) => row.slice(0, Math.max(row.lastIndexOf('.'), 0));

/** Where each question and page stands; made once for a questionnaire. */
function known(q) {
  let found = LISTS.get(q);
  if (!found) {
    found = { places: {}, pages: {} };
    for (const section of q.sections) {
      for (const page of section.pages) {
        found.pages[page.id] = page;
        const roster = page.of ? q.draws[page.of].roster : page.kind === 'list' ? page.roster : page.each ?? '';
        for (const question of page.questions ?? []) {
          found.places[question.id] = { question, page, section, roster, draw: page.of ?? '' };
        }
      }
    }
    LISTS.set(q, found);
  }
  return found;
}

/** row → question → answer. */
function byRow(answers) {
  const found = {};
  for (const name in answers) {
    let parts = PARTS.get(name);
    if (!parts) PARTS.set(name, (parts = name.split('@')));
    (found[parts[1] ?? ''] ??= {})[parts[0]] = answers[name];
  }
  return found;
}

/** The same of a response, found once: its answers are never changed in place. */
function givenOf({ answers }) {
  if (!GIVEN.has(answers)) GIVEN.set(answers, byRow(answers));
  return GIVEN.get(answers);
}

/** The options as written: {code, exclusive, specify, facts, label}. */
export const written = (q, question) => (question.list ? q.lists[question.list] : question.choices ?? [])
  .map((one) => (typeof one === 'string' ? { code: one } : one));

/**
 * One walk along the path: steps, what each shows, and the answers that count. It is what conditions look at. Each thing
 * is found when it is first asked for, and what it depends on before it: checking one page does not walk the others.
 */
export class Walk {
  constructor(q, response, given = givenOf(response)) {
    Object.assign(this, { q, response, given, today: dayOf(response.today) });
    Object.assign(this, { places: known(q).places, shown: {}, seen: {}, on: {}, opened: {}, listed: {} });
  }

  /** The walk of the same response as if these answers were given too. */
  joined(answers) {
    const given = { ...this.given };
    for (const [row, said] of Object.entries(byRow(answers))) given[row] = { ...given[row], ...said };
    return new Walk(this.q, this.response, given);
  }

  /** The path: every page to be seen, in order. */
  get steps() {
    if (!this.path) {
      this.path = [];
      for (const section of this.q.sections) {
        for (const page of section.pages) this.take(page, (row) => this.path.push({ section, page, row }));
      }
    }
    return this.path;
  }

  take(page, add) {
    if (page.kind === 'list') {
      for (const row of page.each ? this.rows(page.each, '') : ['']) {
        if (!this.opens(page, row)) continue;
        add(row);
        for (const one of this.rows(page.roster, row)) if (this.shows(page, one).length) add(one);
      }
    } else if (page.kind === 'draw') {
      if (this.opens(page, '') && this.eligible(page.draw).length) add('');
    } else {
      for (const row of this.rowsOf(page)) if (this.opens(page, row) && (this.shows(page, row).length || !page.questions)) add(row);
    }
  }

  /** The rows that a page of questions is asked of: "" for the household. */
  rowsOf(page) {
    if (page.of) return [this.drawn(page.of)].filter(Boolean);
    return page.each ? this.rows(page.each, '') : [''];
  }

  /** The questions shown on this step now (none for a list, a draw, or a step off the path). */
  visible(step) {
    const { page, row } = step, found = this.shown[page.id]?.[row];
    if (found) return found;
    if (isList(step) || page.kind === 'draw') return [];
    const list = page.kind === 'list', rows = list ? this.rows(page.roster, '') : this.rowsOf(page);
    return rows.includes(row) && this.opens(page, list ? above(row) : row) ? this.shows(page, row) : [];
  }

  /** The questions shown on an open page. */
  shows(page, row) {
    const answers = this.own(row), on = this.on[row], shown = [];
    for (const one of page.questions ?? []) {
      if (!answers.has(one.id)) this.answer(one, row, answers);
      if (one.kind !== 'calculate' && on.has(one.id)) shown.push(one);
    }
    return ((this.shown[page.id] ??= {})[row] = shown);
  }

  answer(one, row, answers) {
    answers.set(one.id, null);
    if (one.when && evaluate(one.when, this, row) !== true) return;
    this.on[row].add(one.id);
    if (one.kind === 'calculate') answers.set(one.id, evaluate(one.calculate, this, row));
    else answers.set(one.id, scalar(one.type ?? 'text', this.given[row]?.[one.id]?.value));
  }

  opens(page, row) {
    if (!page.when) return true;
    const found = (this.opened[page.id] ??= {});
    if (!(row in found)) {
      found[row] = false;
      found[row] = evaluate(page.when, this, row) === true;
    }
    return found[row];
  }

  /** What counts as the answer of a question, seen as a condition sees it: found when it is first asked for. */
  get(name, row) {
    const answers = this.own(row), found = this.places[name];
    if (answers.has(name)) return answers.get(name);
    if (!found) return null;
    const { page } = found;
    const open = page.kind === 'list' ? this.opens(page, above(row))
      : page.of ? row && row === this.drawn(page.of) && this.opens(page, row) : this.opens(page, row);
    if (!open) answers.set(name, null);
    else if (!answers.has(name)) this.answer(found.question, row, answers); // opening the page may have met it
    return answers.get(name);
  }

  eligible(draw) {
    const { roster, eligible } = this.q.draws[draw];
    return this.rows(roster, '').filter((row) => evaluate(eligible, this, row) === true);
  }

  /** The options that may be chosen now. */
  choices(question, row) {
    return this.options(question).filter((one) => (
      (!question.filter || this.offers(question, row, one))
      && (!question.opened?.[one.code] || evaluate(question.opened[one.code], this, row) === true)));
  }

  offers({ rows, filter }, row, { code, facts }) {
    return evaluate(filter, this, rows ? code : row, rows ? null : { name: code, ...facts }) === true;
  }

  options(question) {
    if (!question.rows) return written(this.q, question);
    return this.rows(question.rows, '').map((row) => ({ code: row, label: this.rowName(question.rows, row) || row }));
  }

  /** Whether somebody answers for somebody else: then questions are worded for that. */
  get byProxy() {
    return Boolean(this.q.proxy) && evaluate(this.q.proxy, this) === true;
  }

  rowName(roster, row) {
    const { name } = this.q.rosters[roster];
    const found = this.places[name]?.roster === roster ? this.get(name, row) : null;
    return typeof found === 'string' ? found : '';
  }

  own(row) {
    this.on[row] ??= new Set();
    return (this.seen[row] ??= new Map());
  }

  rows(roster, under) {
    this.listed[roster] ??= this.list(roster);
    return rowsUnder(this.listed[roster], under);
  }

  list(roster) {
    const it = this.q.rosters[roster];
    if (!it) return [];
    const parents = it.within ? this.rows(it.within, '') : [''];
    if (it.count) {
      return parents.flatMap((parent) => {
        const count = evaluate(it.count, this, parent);
        const rows = Math.min(count ? Number(count.n / count.d) : 0, it.maximum);
        return Array.from({ length: Math.max(rows, 0) }, (_, index) => (parent ? `${parent}.${index + 1}` : `${index + 1}`));
      });
    }
    const rows = this.response.rows[roster] ?? [];
    return it.within ? parents.flatMap((parent) => rows.filter((row) => above(row) === parent)) : rows;
  }

  drawn(draw) {
    return this.response.drawn[draw] ?? '';
  }

  /** The row in which `${question}`, seen from a row, is found. */
  rowOf(question, row) {
    const { roster, draw } = this.places[question];
    if (draw || !roster) return draw ? this.drawn(draw) : '';
    return row.includes('.') && !this.q.rosters[roster].within ? above(row) : row;
  }

  reason(question, row) {
    this.get(question, row);
    if (!this.on[row].has(question)) return 'not_applicable';
    const answer = this.given[row]?.[question];
    return answer ? answer.missing ?? null : 'not_asked';
  }

  label(question, code) {
    const { rows } = this.places[question].question;
    if (rows) return this.rows(rows, '').includes(code) ? this.rowName(rows, code) || code : null;
    return this.q.labels?.[question]?.[code] ?? null;
  }

  chance(question, row) {
    return chance(this.response.id, question, row);
  }

  // for those who read a response

  isDone(step) {
    const { page, row } = step, marked = this.response.done.has(place(page.id, row));
    const needed = this.visible(step).filter(needsAnswer);
    const given = this.given[row] ?? {}, answered = needed.every(({ id }) => id in given);
    if (page.kind === 'notice') return marked && answered;
    if (page.kind === 'draw') return marked && page.draw in this.response.drawn;
    if (isList(step)) return marked && this.rows(page.roster, row).length >= (this.q.rosters[page.roster].minimum ?? 0);
    return answered && (marked || needed.length > 0);
  }

  nextStep() {
    return this.steps.find((step) => !this.isDone(step)) ?? null;
  }

  /** {section, sections, done, total, minutes}: section number, sections on the path, pages done and in all, minutes left. */
  progress(at = this.nextStep() ?? this.steps.at(-1)) {
    const ahead = this.q.sections.flatMap((section) => section.pages
      .filter(({ of }) => of && !(of in this.response.drawn) && this.mayBeDrawn(of)).map(() => section.id));
    const on = new Set([...this.steps.map(({ section }) => section.id), ...ahead]);
    const sections = this.q.sections.filter(({ id }) => on.has(id));
    let left = 0, done = 0;
    for (const { id, minutes } of sections) {
      const inside = this.steps.filter(({ section }) => section.id === id);
      const finished = inside.filter((step) => this.isDone(step)).length;
      done += finished;
      left += minutes * (1 - finished / (inside.length + ahead.filter((other) => other === id).length));
    }
    const number = sections.findIndex(({ id }) => id === at?.section.id);
    return {
      section: Math.max(number, 0) + 1, sections: sections.length, done, total: this.steps.length + ahead.length,
      minutes: Math.ceil(left - 1e-9),
    };
  }

  mayBeDrawn(draw) {
    const { roster } = this.q.draws[draw];
    const listed = this.steps.some((step) => isList(step) && step.page.roster === roster && this.isDone(step));
    return !listed || this.eligible(draw).length > 0;
  }
}

/** Whether a step is a list itself, with add, change and remove; else it asks questions (perhaps of a row). */
export const isList = ({ page, row }) => page.kind === 'list' && (row ? row.split('.').length : 0) === (page.each ? 1 : 0);

/** Whether the page waits for an answer (a value, don't know or refused) to this question. */
export const needsAnswer = ({ optional, kind }) => !optional && !SILENT.includes(kind);

/** The row drawn by a uniform number in [0, 1) among the eligible in row order, and how many there are. */
export function drawRow(q, response, draw, number) {
  const rows = new Walk(q, response).eligible(draw);
  return { row: rows[Math.floor(number * rows.length)], eligible: rows.length };
}
