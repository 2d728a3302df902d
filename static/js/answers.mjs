/** What conditions look at: answers as survey/questionnaire/values.py and conditions.py see them. */

import { dayOf, exact, isoOf, numberOf, textOf } from './conditions.mjs';

/** An answer's value as a condition of this type sees it; a value of another kind is the blank. */
export function scalar(type, value) {
  if (value === null || value === undefined) return null;
  if (Number.isSafeInteger(value) && type === 'number') return exact(BigInt(value));
  if (type === 'number') return numberOf(typeof value === 'boolean' ? String(+value) : String(value));
  if (type === 'date') return typeof value === 'string' ? dayOf(value.slice(0, 10)) : null;
  if (type === 'boolean') return typeof value === 'boolean' ? value : null;
  const codes = Array.isArray(value) ? value : type === 'codes' ? String(value).split(/[ \t\n\r]+/).filter(Boolean) : null;
  if (type === 'codes') return codes.length ? codes : null;
  return (codes ? codes.join(' ') : String(value).normalize('NFC')) || null;
}

/** A value as an answer keeps it. */
export function plain(type, value) {
  if (value === null || !value.d) return value;
  return type === 'date' ? isoOf(value) : Number(textOf(value));
}

/** Of rows named "parent.child", those held by the row that `under` is or stands in; all, when it is "". */
export function rowsUnder(rows, under) {
  return under ? rows.filter((row) => row.startsWith(under.split('.')[0] + '.')) : rows;
}

/** The number in [0, 1) that belongs to a response, a calculated question and a row. */
export function chance(response, question, row) {
  let mixed = 2166136261;
  for (const byte of new TextEncoder().encode(`${response}/${question}/${row}`)) {
    mixed = Math.imul(mixed ^ byte, 16777619);
  }
  for (const [shift, factor] of [[16, 0x85ebca6b], [13, 0xc2b2ae35]]) {
    mixed = Math.imul(mixed ^ (mixed >>> shift), factor);
  }
  return exact(BigInt((mixed ^ (mixed >>> 16)) >>> 0), 1n << 32n);
}

/**
 * A view over answers written out: {types, answers: row → question → value, rows, missing, drawn, labels, today,
 * response}, as vectors have them.
 */
export function state({ types = {}, answers = {}, rows = {}, missing = {}, drawn = {}, labels = {}, today = '', response = '' }) {
  const seen = Object.fromEntries(Object.entries(answers).map(([row, said]) => [
    row, Object.fromEntries(Object.entries(said).map(([name, value]) => [name, scalar(types[name], value)])),
  ]));
  return {
    today: dayOf(today),
    get: (name, row) => seen[row]?.[name] ?? null,
    rows: (roster, under) => rowsUnder(rows[roster] ?? [], under),
    drawn: (draw) => drawn[draw] ?? '',
    reason: (question, row) => missing[row]?.[question] ?? null,
    label: (question, code) => labels[question]?.[code] ?? null,
    chance: (question, row) => chance(response, question, row),
  };
}
