/** From cases {tree, data, row, current, type} to plain values that Python can compare with its own. */
export function answerCases({ evaluate, scalar, state }, cases) {
  const plain = (value) => (value && value.d ? { number: value.d === 1n ? `${value.n}` : `${value.n}/${value.d}` } : value);
  return cases.map(({ tree, data, row, current, type }) => {
    try {
      const here = type === 'facts' ? current : scalar(type, current);
      return plain(evaluate(tree, state(data), row, here));
    } catch (error) {
      return { error: String(error) };
    }
  });
}

/** From scenarios {published, response, forms} to the path, what it shows and means, and what each form comes to. */
export function answerScenarios({ Walk, readForm, place, outcome }, scenarios) {
  return scenarios.map(({ published, response, forms }) => {
    try {
      const state = { ...response, locked: new Set(response.locked), done: new Set(response.done) };
      const walk = new Walk(published, state), next = walk.nextStep();
      const name = (step) => place(step.page.id, step.row);
      return {
        path: walk.steps.map(name),
        shown: Object.fromEntries(walk.steps.map((step) => [name(step), walk.visible(step).map((one) => one.id)])),
        next: next && name(next),
        progress: walk.steps.length ? walk.progress() : null,
        outcome: outcome(walk),
        forms: forms.map(({ page, row = '', form }) => {
          const step = walk.steps.find((one) => one.page.id === page && one.row === row);
          if (!step) return null;
          const { answers, findings } = readForm(published, state, step, form);
          return { answers, findings: findings.map(({ where, code, message }) => [where, code, message]) };
        }),
      };
    } catch (error) {
      return { error: `${error.stack}` };
    }
  });
}

/** From [{response, events}] to what they fold to. */
export function foldAll({ fold }, many) {
  return many.map(({ response, events }) => {
    const found = fold(response, events);
    return { ...found, locked: [...found.locked].sort(), done: [...found.done].sort() };
  });
}
