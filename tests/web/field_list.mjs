/** Reads {cases, views: [{filter, find, day, unsent}], carried, maps, attempts} and writes what the official's list makes of it. */
import { readFileSync } from 'node:fs';
import { arrange, drawnOf, dueOn, mapLink, standing, withAttempts, withListing } from '../../static/js/field-list.mjs';

const { cases, views, carried, maps, attempts, closing, draws, listed } = JSON.parse(readFileSync(0, 'utf-8'));
process.stdout.write(JSON.stringify({
  views: views.map((view) => arrange(cases, {
    ...view, carried: (id) => ({ unsent: view.unsent?.includes(id) ? 1 : 0 }),
  }).map(({ hamlet, cases: found }) => [hamlet, found.map(({ id }) => id)])),
  due: cases.map((one) => dueOn(views[0].day, one)),
  standing: carried.map(standing),
  maps: maps.map(mapLink),
  drawn: draws.map(([draw, number]) => drawnOf(draw, number)),
  listed: listed.map(([state, kind, before]) => withListing({ state, listing: before }, { kind, number: 1 }).state),
  after: attempts.map((some) => withAttempts(cases[0], some, (outcome) => !closing.includes(outcome))),
}));
