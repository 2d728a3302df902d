/** Evaluates cases from standard input (see run.py) with the phone's interpreter and writes what they come to. */
import { readFileSync } from 'node:fs';
import * as own from './answer.mjs';

const source = new URL('../../static/js/', import.meta.url);
const names = ['conditions', 'answers', 'response', 'routing', 'checks', 'outcome'];
const modules = await Promise.all(names.map((name) => import(new URL(`${name}.mjs`, source))));
const input = JSON.parse(readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(own[process.argv[2]](Object.assign({}, ...modules), input)));
