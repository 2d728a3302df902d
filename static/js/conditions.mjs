/**
 * The typed tree of survey/questionnaire/conditions.py, read directly: docs/conditions.md says what it means.
 * Numbers are exact fractions {n, d}; days count from 1970-01-01; codes are an array; null is the only blank.
 */

const gcd = (a, b) => { while (b) [a, b] = [b, a % b]; return a < 0n ? -a : a; };
export const exact = (n, d = 1n) => { const g = gcd(n, d) * (d < 0n ? -1n : 1n); return { n: n / g, d: d / g }; };
const floor = (n, d) => (n - (((n % d) + d) % d)) / d;
const whole = (x) => Number(x.n / x.d);
const less = (a, b) => a.n * b.d < b.n * a.d;
const ten = (power) => 10n ** BigInt(power);
const PLACES = 10;

export function numberOf(text) {
  const m = /^[ \t\n\r]*(-?)([0-9]*)\.?([0-9]*)[ \t\n\r]*$/.exec(text);
  if (!m || text.length > 60 || !(m[2] + m[3])) return null;
  return exact(BigInt(m[1] + m[2] + m[3]), ten(m[3].length));
}

export function textOf({ n, d }) {
  const scaled = floor(2n * n * ten(PLACES) + d, 2n * d);
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(PLACES + 1, '0');
  const rest = digits.slice(-PLACES).replace(/0+$/, '');
  return (scaled < 0n ? '-' : '') + digits.slice(0, -PLACES) + (rest && '.' + rest);
}

function round({ n, d }, places) {
  const up = ten(Math.max(places, 0)), down = ten(Math.max(-places, 0));
  return exact(floor(2n * n * up + d * down, 2n * d * down) * down, up);
}

export function dayOf(iso) {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(iso) || iso < '0001') return null;
  const date = new Date(iso + 'T00:00:00Z');
  return isNaN(date) || date.toISOString().slice(0, 10) !== iso ? null : exact(BigInt(date / 864e5));
}

export function isoOf(day) {
  const date = new Date(whole(day) * 864e5);
  const iso = isNaN(date) ? '' : date.toISOString();
  return /^(?!0000)\d{4}-/.test(iso) ? iso.slice(0, 10) : null;
}

function written(day, form) {
  const iso = isoOf(day);
  if (!iso) return null;
  const [Y, m, d] = iso.split('-');
  const parts = { Y, y: Y.slice(2), m, n: String(+m), d, e: String(+d) };
  return form.replace(/%([Yymnde])/g, (_, letter) => parts[letter]);
}

const words = (text) => text.split(/[ \t\n\r]+/).filter(Boolean);
const none = (list) => (list.length ? list : null);
const known = (list) => list.flat().filter((one) => one !== null);
const best = (better) => (...list) => known(list).reduce((a, b) => (a && !better(b, a) ? a : b), null);
const row = (scope, view, here) => scope === '..' ? here.slice(0, Math.max(here.lastIndexOf('.'), 0))
  : scope[0] === '@' ? view.drawn(scope.slice(1)) : scope && here;
const count = (n) => exact(BigInt(n));

/** `go` evaluates an operand, if it is needed. */
const LAZY = {
  and: (go, a, b) => go(a) === true && go(b) === true,
  or: (go, a, b) => go(a) === true || go(b) === true,
  not: (go, a) => go(a) !== true,
  if: (go, a, b, c) => (go(a) === true ? go(b) : go(c)),
};

/** (view, row, current, evaluate, …parameters and operands) */
const LOOKS = {
  blank: () => null,
  text: (v, r, c, at, text) => text,
  boolean: (v, r, c, at, truth) => truth,
  number: (v, r, c, at, digits) => numberOf(digits),
  day: (v, r, c, at, day) => count(day),
  answer: (v, r, c, at, name, scope) => v.at(row(scope, v, r))[name] ?? null,
  missing: (v, r, c, at, name, scope) => v.reason(name, row(scope, v, r)) ?? null,
  current: (v, r, c) => c,
  fact: (v, r, c, at, name) => c[name] || null,
  today: (v) => v.today,
  random: (v, r, c, at, name) => v.chance(name, r),
  count: (v, r, c, at, roster, scope) => count(v.rows(roster, scope && r).length),
  position: (v, r, c, at, roster, scope) => { const i = v.rows(roster, scope && r).indexOf(r); return i < 0 ? null : count(i + 1); },
  'count-if': (v, r, c, at, roster, scope, test) => count(v.rows(roster, scope && r).filter((one) => at(test, one) === true).length),
  each: (v, r, c, at, roster, scope, one) => v.rows(roster, scope && r).map((other) => at(one, other)),
  at: (v, r, c, at, roster, scope, place, one) => {
    const p = at(place, r), rows = v.rows(roster, scope && r);
    return p && p.d === 1n && rows[Number(p.n) - 1] !== undefined ? at(one, rows[Number(p.n) - 1]) : null;
  },
  label: (v, r, c, at, name, code) => { const said = at(code, r); return said === null ? null : v.label(name, said) ?? null; },
};

/** A blank operand makes the result blank, or a comparison false. */
const STRICT = {
  '=': (a, b) => a.n === b.n && a.d === b.d,
  same: (a, b) => a === b,
  '<': less,
  '<=': (a, b) => !less(b, a),
  '+': (a, b) => exact(a.n * b.d + b.n * a.d, a.d * b.d),
  '-': (a, b) => exact(a.n * b.d - b.n * a.d, a.d * b.d),
  '*': (a, b) => exact(a.n * b.n, a.d * b.d),
  div: (a, b) => (b.n ? exact(a.n * b.d, a.d * b.n) : null),
  mod: (a, b) => (b.n ? exact((a.n * b.d) % (b.n * a.d), a.d * b.d) : null),
  negate: (a) => exact(-a.n, a.d),
  abs: (a) => exact(a.n < 0n ? -a.n : a.n, a.d),
  int: (a) => exact(a.n / a.d),
  round: (places, a) => round(a, places),
  pow: (power, a) => exact(a.n ** BigInt(power), a.d ** BigInt(power)),
  regex: (pattern, a) => new RegExp(`^(?:${pattern})$`, 'u').test(a),
  'format-date': (form, a) => written(a, form),
  'number-of-text': numberOf,
  'number-of-boolean': (a) => count(a ? 1 : 0),
  'text-of-number': textOf,
  'text-of-boolean': String,
  'text-of-date': isoOf,
  'text-of-codes': (a) => a.join(' '),
  'date-of-text': dayOf,
  words: (a) => none(words(a)),
};
const FALSE = ['=', 'same', '<', '<=', 'regex'];

/** These take blanks; a blank text counts as empty. */
const PLAIN = {
  'is-blank': (a) => a === null,
  known: (a) => a !== null,
  nonzero: (a) => a !== null && a.n !== 0n,
  coalesce: (...list) => list.find((one) => one !== null) ?? null,
  sum: (...list) => known(list).reduce(STRICT['+'], count(0)),
  min: best(less),
  max: best((a, b) => less(b, a)),
  'count-non-empty': (...list) => count(known(list).length),
  join: (between, ...list) => known(list).join(between || '') || null,
  selected: (codes, code) => codes !== null && codes.includes(code),
  'count-selected': (codes) => count(codes ? codes.length : 0),
  'selected-at': (codes, place) => (codes && place && place.n >= 0n && codes[whole(place)]) || null,
  contains: (a, b) => (a || '').includes(b || ''),
  'starts-with': (a, b) => (a || '').startsWith(b || ''),
  'ends-with': (a, b) => (a || '').endsWith(b || ''),
  'string-length': (a) => count([...(a || '')].length),
  concat: (...list) => list.map((one) => one || '').join('') || null,
  'normalize-space': (a) => words(a || '').join(' ') || null,
  'substring-before': (a, b) => (b && a && a.includes(b) && a.slice(0, a.indexOf(b))) || null,
  'substring-after': (a, b) => (!b ? a : a && a.includes(b) && a.slice(a.indexOf(b) + b.length)) || null,
  substr: (a, from, to) => (a !== null && from && [...a].slice(whole(from), to ? whole(to) : undefined).join('')) || null,
};

/** The value of a tree seen from `here`; `current` is the answer a check speaks of, or the columns of a choice. */
export function evaluate([op, ...rest], view, here = '', current = null) {
  const go = (tree, from = here) => evaluate(tree, view, from, current);
  if (op in LAZY) return LAZY[op](go, ...rest);
  if (op in LOOKS) return LOOKS[op](view, here, current, go, ...rest);
  const values = rest.map((one) => (Array.isArray(one) ? go(one) : one));
  if (op in PLAIN) return PLAIN[op](...values);
  return values.includes(null) ? (FALSE.includes(op) ? false : null) : STRICT[op](...values);
}
