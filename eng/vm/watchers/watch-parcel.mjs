// SPDX-License-Identifier: Apache-2.0
import watcher from '@parcel/watcher';

// Not the daemon of watchman, if that is installed too.
await watcher.subscribe(process.cwd(), (error, events) => {
    if (error) console.log('error', error);
    for (const event of events ?? []) console.log(event.type, event.path);
}, { backend: 'inotify' });
console.log('ready');
