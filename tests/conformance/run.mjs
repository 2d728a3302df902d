/** Evaluates cases from standard input (see run.py) with the phone's interpreter and writes what they come to. */
import { readFileSync } from 'node:fs';
import * as own from './answer.mjs';

const source = new URL('../../static/js/', import.meta.url);
const [conditions, answers] = await Promise.all(['conditions.mjs', 'answers.mjs'].map((name) => import(new URL(name, source))));
process.stdout.write(JSON.stringify(own[process.argv[2]](conditions, answers, JSON.parse(readFileSync(0, 'utf8')))));
