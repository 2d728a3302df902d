/**
 * From what a form sent to answers, with everything that is wrong said at once: survey/questionnaire/checks.py over a
 * published questionnaire, read directly. `form` maps field names to arrays of text.
 */
import { scalar } from './answers.mjs';
import { dayOf, evaluate } from './conditions.mjs';
import { key } from './response.mjs';
import { SILENT, Walk, needsAnswer, written } from './routing.mjs';

const MISSING = { '-dk': 'dont_know', '-rf': 'refused' };
const BLANKS = '[ \\n\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const AROUND = new RegExp(`^${BLANKS}|${BLANKS}$`, 'gu');

class Wrong {
  constructor(code, details = {}) {
    Object.assign(this, { code, details });
  }
}

/** The first value of a field, in NFC, without blanks around it and without control characters. */
function first(form, name) {
  const clean = [...(form[name]?.[0] ?? '').normalize('NFC')].filter((ch) => ch === '\n' || ch >= ' ').join('');
  return clean.replace(AROUND, '');
}

/** {answers by key, findings: [{code, where, message, severity}]} of one page; `before` is a walk of the response. */
export function readForm(q, response, step, form, before = new Walk(q, response)) {
  const { page, row } = step, answers = {}, findings = [];
  let walk = before;
  for (const question of page.questions ?? []) {
    const hangs = question.when || question.filter || written(q, question).some(({ when }) => when);
    if (hangs && Object.keys(answers).length) walk = before.joined(answers);
    if (SILENT.includes(question.kind) || !walk.visible(step).includes(question)) continue;
    const { id } = question;
    try {
      const answer = read(q, question, walk, row, form);
      if (!answer) {
        if (needsAnswer(question)) {
          const opened = question.when && !before.visible(step).includes(question);
          throw new Wrong(opened ? 'opened' : question.dk || question.rf ? 'required' : 'required_plain');
        }
        continue;
      }
      answers[key(id, row)] = answer;
      for (const { code, specify } of written(q, question)) {
        const said = specify ? first(form, `${id}.${code}`) : '';
        if (said && [answer.value].flat().includes(code)) {
          answers[key(`${id}.${code}`, row)] = { value: [...said].slice(0, 500).join('') };
        }
      }
      if (question.checks) findings.push(...check(question, (walk = before.joined(answers)), row, form, answer));
    } catch (wrong) {
      if (!(wrong instanceof Wrong)) throw wrong;
      const message = q.said[wrong.code].replace(/\{(\w+)\}/g, (_, name) => wrong.details[name]);
      findings.push({ code: wrong.code, where: id, message, severity: 'error' });
    }
  }
  return { answers, findings };
}

function read(q, question, walk, row, form) {
  const { id } = question, remark = first(form, `${id}.remark`), more = remark ? { remark } : {};
  const offered = { '-dk': question.dk, '-rf': question.rf };
  const sent = [...(form[`${id}.missing`] ?? []), ...(form[id] ?? [])].find((one) => offered[one]);
  if (sent) {
    if ((form[id] ?? []).some((one) => one && !(one in MISSING))) throw new Wrong('both');
    return { missing: MISSING[sent], ...more };
  }
  const value = valueOf(question, walk, row, form);
  return value === null ? null : { value, ...more };
}

function valueOf(question, walk, row, form) {
  const { id, kind } = question, sent = first(form, id);
  if (kind === 'rank') return ranked(question, walk, row, form);
  if (kind === 'select_one' || kind === 'select_many') return choice(question, walk, row, form);
  if (kind === 'acknowledge') {
    if (!sent && !question.optional) throw new Wrong('acknowledge');
    return sent ? true : null;
  }
  if (kind === 'date') return date(id, form);
  if (!sent) return null;
  if (kind === 'integer' || kind === 'decimal' || kind === 'year') return number(question, sent);
  if (kind === 'location') return location(sent);
  if (kind === 'photo') {
    if (!/^[0-9a-f]{64}$/.test(sent)) throw new Wrong('not_photo');
    return sent;
  }
  const limit = question.longest ?? 200;
  if ([...sent].length > limit) throw new Wrong('too_long', { limit });
  return sent;
}

function choice(question, walk, row, form) {
  const offered = new Map(walk.choices(question, row).map((one) => [one.code, one]));
  const sent = [...new Set((form[question.id] ?? []).filter(Boolean))];
  if (!sent.length) return null;
  const single = question.kind === 'select_one';
  if (sent.some((code) => !offered.has(code)) || (single && sent.length > 1)) throw new Wrong('unknown_choice');
  if (single) return sent[0];
  const alone = sent.map((code) => offered.get(code)).find((one) => one.exclusive);
  if (alone && sent.length > 1) throw new Wrong('exclusive', { label: alone.label });
  return [...offered.keys()].filter((code) => sent.includes(code));
}

function ranked(question, walk, row, form) {
  const offered = walk.choices(question, row).map(({ code }) => code);
  const places = offered.map((code) => first(form, `${question.id}.rank.${code}`));
  if (!places.some(Boolean)) return null;
  const ordered = offered.map((_, index) => offered[places.indexOf(String(index + 1))]);
  if (new Set(ordered).size < offered.length || ordered.includes(undefined)) throw new Wrong('rank', { count: offered.length });
  return ordered;
}

function location(sent) {
  const parts = sent.split(/[ ,;]+/).filter(Boolean);
  const sound = parts.length >= 2 && parts.length <= 4 && parts.every((one) => /^-?[0-9]{1,6}(\.[0-9]{1,12})?$/.test(one));
  if (!sound || Math.abs(parts[0]) > 90 || Math.abs(parts[1]) > 180) throw new Wrong('not_place');
  return parts.join(' ');
}

function number(question, sent) {
  const whole = question.kind !== 'decimal', year = question.kind === 'year';
  let plain = sent.replace(/[ \xa0\u202f]/g, '');
  if (/^-?[0-9]{1,3}(\.[0-9]{3})+$/.test(plain)) plain = plain.replaceAll('.', '');
  if (/^-?[0-9]+,[0-9]+$/.test(plain)) plain = plain.replace(',', '.');
  const pattern = year ? /^[0-9]{4}$/ : whole ? /^-?[0-9]{1,15}$/ : /^-?[0-9]{1,15}(\.[0-9]{1,6})?$/;
  if (!pattern.test(plain)) throw new Wrong(year ? 'not_year' : whole ? 'not_whole' : 'not_number');
  const found = Number(plain) + 0;
  if (found < question.minimum) throw new Wrong('too_small', { limit: question.minimum });
  if (found > question.maximum) throw new Wrong('too_large', { limit: question.maximum });
  return found;
}

function date(id, form) {
  let whole = first(form, id);
  const parts = ['year', 'month', 'day'].map((part) => first(form, `${id}.${part}`));
  if (!whole && !parts.some(Boolean)) return null;
  if (!whole) {
    if (!parts.every((part) => /^[0-9]{1,4}$/.test(part))) throw new Wrong('not_date');
    whole = parts.map((part, index) => part.padStart(index ? 2 : 4, '0')).join('-');
  }
  if (dayOf(whole) === null) throw new Wrong('not_date');
  return whole;
}

function check(question, walk, row, form, answer) {
  if (answer.missing) return [];
  const current = scalar(question.type ?? 'text', answer.value);
  const explained = Boolean(answer.remark || first(form, `${question.id}.confirmed`));
  return question.checks
    .filter(([tree, , soft]) => !(soft && explained) && evaluate(tree, walk, row, current) !== true)
    .map(([, message, soft]) => ({
      code: soft ? 'soft_check' : 'check', where: question.id, message, severity: soft ? 'warning' : 'error',
    }));
}
