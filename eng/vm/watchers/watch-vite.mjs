// SPDX-License-Identifier: Apache-2.0
//
// Vite's server for developers and a page that it serves: like a browser, the client loads the page with all modules, and loads it
// again whenever the server tells it by its WebSocket that something has changed. What the page consists of is printed each time.
import { writeFileSync } from 'node:fs';
import { createServer } from 'vite';
import WebSocket from 'ws';

writeFileSync('index.html', '<script type="module" src="/main.js"></script>\n');
writeFileSync('main.js', "import.meta.glob('./**/*.js', { eager: true });\nimport.meta.hot.accept();\n");
const server = await createServer({
    configFile: false, root: process.cwd(), cacheDir: '/tmp/vite', optimizeDeps: { noDiscovery: true },
    server: { host: '127.0.0.1', port: 5173, strictPort: true },
});
// On a slow machine a page takes longer than the server keeps a connection, and the next request on it would fail.
server.httpServer.keepAliveTimeout = 0;
await server.listen();
const address = '127.0.0.1:5173';

async function load(path) {
    return await (await fetch(`http://${address}${path}`)).text();
}

async function loadPage() {
    const script = /src="(\/main.js[^"]*)"/.exec(await load('/'))[1];
    const main = await load(script);
    const lines = [];
    for (const [, path] of main.matchAll(/ from "(\/[^"]+)"/g)) {
        if (path.startsWith('/@')) continue;
        lines.push(`${path}: ${/export default (.*)/.exec(await load(path))?.[1]}`);
    }
    console.log(['BEGIN', ...lines, 'END'].join('\n'));
}

let loading = Promise.resolve();
const socket = new WebSocket(`ws://${address}/?token=${server.config.webSocketToken}`, 'vite-hmr');
socket.on('message', message => {
    console.log('message', message.toString());
    if (['update', 'full-reload'].includes(JSON.parse(message).type)) {
        loading = loading.then(loadPage).catch(error => console.log('error', error));
    }
});
await new Promise(resolve => socket.on('open', resolve));
// The event of that may have come before anybody could listen.
while (!server.watcher._readyEmitted) await new Promise(resolve => setTimeout(resolve, 50));
await loadPage();
console.log('ready');
