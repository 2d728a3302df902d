/**
 * The typed tree of survey/questionnaire/conditions.py, read directly: docs/conditions.md says what it means.
 * Numbers are exact fractions {n, d}; days count from 1970-01-01; codes are an array; null is the only blank.
 */

const gcd = (a, b) => { while (b) [a, b] = [b, a % b]; return a < 0n ? -a : a; };
export const exact = (n, d = 1n) => { if (d === 1n) return { n, d }; const g = gcd(n, d) * (d < 0n ? -1n : 1n); return { n: n / g, d: d / g }; };
const floor = (n, d) => (n - (((n % d) + d) % d)) / d;
const whole = (x) => Number(x.n / x.d);
const less = (a, b) => (a.d === b.d ? a.n < b.n : a.n * b.d < b.n * a.d);
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

function spelt(day, form) {
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

/**
 * From parameters and operands to a function (view, row, current) => value; an operand is such a function already.
 * The view: get(question, row), rows(roster, under), drawn(draw), reason(question, row), label(question, code),
 * chance(question, row), today.
 */
const LOOKS = {
  and: (a, b) => (v, r, c) => a(v, r, c) === true && b(v, r, c) === true,
  or: (a, b) => (v, r, c) => a(v, r, c) === true || b(v, r, c) === true,
  not: (a) => (v, r, c) => a(v, r, c) !== true,
  if: (test, a, b) => (v, r, c) => (test(v, r, c) === true ? a : b)(v, r, c),
  blank: () => () => null,
  text: (text) => () => text,
  boolean: (truth) => () => truth,
  number: (digits) => { const n = numberOf(digits); return () => n; },
  day: (day) => { const n = count(day); return () => n; },
  answer: (name, scope) => (v, r) => v.get(name, row(scope, v, r)) ?? null,
  missing: (name, scope) => (v, r) => v.reason(name, row(scope, v, r)) ?? null,
  current: () => (v, r, c) => c,
  fact: (name) => (v, r, c) => c[name] || null,
  today: () => (v) => v.today,
  random: (name) => (v, r) => v.chance(name, r),
  count: (roster, scope) => (v, r) => count(v.rows(roster, scope && r).length),
  position: (roster, scope) => (v, r) => { const i = v.rows(roster, scope && r).indexOf(r); return i < 0 ? null : count(i + 1); },
  'count-if': (roster, scope, test) => (v, r, c) => count(v.rows(roster, scope && r).filter((one) => test(v, one, c) === true).length),
  each: (roster, scope, one) => (v, r, c) => v.rows(roster, scope && r).map((other) => one(v, other, c)),
  at: (roster, scope, place, one) => (v, r, c) => {
    const p = place(v, r, c), found = p && p.d === 1n && v.rows(roster, scope && r)[Number(p.n) - 1];
    return found ? one(v, found, c) : null;
  },
  regex: (pattern, a) => {
    const whole = new RegExp(`^(?:${pattern})$`, 'u');
    return (v, r, c) => { const x = a(v, r, c); return x !== null && whole.test(x); };
  },
  label: (name, code) => (v, r, c) => { const said = code(v, r, c); return said === null ? null : v.label(name, said) ?? null; },
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
  'format-date': (form, a) => spelt(a, form),
  'number-of-text': numberOf,
  'number-of-boolean': (a) => count(a ? 1 : 0),
  'text-of-number': textOf,
  'text-of-boolean': String,
  'text-of-date': isoOf,
  'text-of-codes': (a) => a.join(' '),
  'date-of-text': dayOf,
  words: (a) => none(words(a)),
};
const FALSE = ['=', 'same', '<', '<='];

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

const CODE = new WeakMap();

/** The tree as a function, made once. */
function code(tree) {
  let made = CODE.get(tree);
  if (!made) {
    const [op, ...rest] = tree, parts = rest.map((one) => (Array.isArray(one) ? code(one) : one));
    made = op in LOOKS ? LOOKS[op](...parts) : operation(op, parts);
    CODE.set(tree, made);
  }
  return made;
}

function operation(op, parts) {
  const [a, b] = parts.map((one) => (typeof one === 'function' ? one : () => one));
  if (op in PLAIN) return (v, r, c) => PLAIN[op](...parts.map((one) => one(v, r, c)));
  const work = STRICT[op], blank = FALSE.includes(op) ? false : null;
  return (v, r, c) => {
    const x = a(v, r, c), y = b && x !== null ? b(v, r, c) : x;
    return y === null ? blank : work(x, y);
  };
}

/** The value of a tree seen from `here`; `current` is the answer a check speaks of, or the columns of a choice. */
export const evaluate = (tree, view, here = '', current = null) => code(tree)(view, here, current);
