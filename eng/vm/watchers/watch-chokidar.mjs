// SPDX-License-Identifier: Apache-2.0
import { watch } from 'chokidar';

watch('.', { ignoreInitial: true })
    .on('all', (kind, path) => console.log(kind, path))
    .on('error', error => console.log('error', error))
    .on('ready', () => console.log('ready'));
