// SPDX-License-Identifier: Apache-2.0
//
// What a program knows that keeps a picture of a directory by what chokidar tells, and looks at nothing else: for each line of its
// input, a sum of all files' names and contents.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { watch } from 'chokidar';

const sum = text => createHash('md5').update(text).digest('hex');
const files = new Map();

function read(path) {
    try {
        files.set(path, sum(readFileSync(path)));
    } catch (error) {
        if (error.code !== 'ENOENT') throw error;
        files.delete(path);
    }
}

watch('.', { ignored: path => path.includes('.git') })
    .on('add', read)
    .on('change', read)
    .on('unlink', path => files.delete(path))
    .on('ready', () => console.log('ready'));
createInterface({ input: process.stdin }).on('line', () => {
    // As sha1sum and sort print them.
    const lines = [...files].map(([path, content]) => `${content}  ./${path}\n`).sort();
    console.log(`picture ${sum(lines.join(''))} ${files.size}`);
});
