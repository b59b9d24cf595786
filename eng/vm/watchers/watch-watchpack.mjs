// SPDX-License-Identifier: Apache-2.0
import Watchpack from 'watchpack';

const watchpack = new Watchpack({ aggregateTimeout: 100, followSymlinks: false });
watchpack.on('change', (path, time, kind) => console.log('change', path, kind));
watchpack.on('remove', path => console.log('remove', path));
// As of a moment ago, as webpack does: nothing that is there already has changed.
watchpack.watch({ directories: [process.cwd()], startTime: Date.now() });
// It says nothing when it watches: its watchers are there as soon as it knows the times of all files.
const wait = setInterval(() => {
    const known = new Map();
    watchpack.collectTimeInfoEntries(known, known);
    if ([...known.keys()].some(path => path.endsWith('-edit.js'))) {
        clearInterval(wait);
        console.log('ready');
    }
}, 50);
