/** From cases {tree, data, row, current, type} to plain values that Python can compare with its own. */
export function answerCases({ evaluate }, { scalar, state }, cases) {
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
