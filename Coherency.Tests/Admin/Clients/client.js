// Calls the administration of coherencyd with @grpc/grpc-js, which knows of it only what the
// descriptor set says. Prints what it got.
//
//   NODE_PATH=MODULES node client.js DESCRIPTORS TARGET SCENARIO
'use strict';
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [descriptors, target, scenario] = process.argv.slice(2);
const set = require('fs').readFileSync(descriptors);
const packages = grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(set, { defaults: true, longs: String, enums: String }));
const credentials = grpc.credentials.createInsecure();
const admin = new packages.coherency.admin.v1.Admin(target, credentials);
const health = new packages.grpc.health.v1.Health(target, credentials);
const reflection = new packages.grpc.reflection.v1.ServerReflection(target, credentials);

const soon = (milliseconds = 30000) => ({ deadline: Date.now() + milliseconds });
const nameOf = (code) => Object.keys(grpc.status).find((name) => grpc.status[name] === code);

function call(client, method, request, options = soon()) {
  return new Promise((resolve) => {
    client[method](request, options, (error, response) => {
      if (error) console.log(nameOf(error.code), error.details);
      resolve(response);
    });
  });
}

function end(stream) {
  return new Promise((resolve) => {
    stream.on('error', (error) => resolve(nameOf(error.code)));
    stream.on('end', () => resolve('OK'));
  });
}

const raw = (path, bytes) => new Promise((resolve) => {
  const client = new grpc.Client(target, credentials);
  client.makeUnaryRequest(path, (value) => value, (value) => value, bytes, new grpc.Metadata(), soon(), (error, response) => {
    console.log(error ? nameOf(error.code) : 'OK');
    resolve(response);
  });
});

const scenarios = {
  async lists() {
    const response = await call(admin, 'ListGuests', {});
    for (const guest of response.guests) console.log(guest.name, guest.state);
  },
  async refusals() {
    await call(admin, 'GetTable', { guest: 'nobody' });
    await call(admin, 'GetTable', { guest: 'a', heat_buckets: 5000 });
    await call(admin, 'GetTable', { guest: 'ß%' });
  },
  async large() {
    const response = await call(admin, 'GetTable', { guest: 'a', heat_buckets: 1024 });
    console.log(response.heat.length);
    await call(admin, 'GetTable', { guest: 'g'.repeat(5 << 20) });
  },
  async unknown() {
    await raw('/coherency.admin.v1.Admin/Dance', Buffer.alloc(0));
  },
  async bad() {
    await raw('/coherency.admin.v1.Admin/ListGuests', Buffer.from([0xff, 0xff, 0xff]));
  },
  async health() {
    for (const service of ['', 'coherency.guest.a', 'nobody']) {
      const response = await call(health, 'Check', { service });
      if (response) console.log(response.status);
    }
  },
  async deadline() {
    const stream = health.watch({ service: '' }, soon(300));
    stream.on('data', (response) => console.log(response.status));
    console.log(await end(stream));
  },
  async cancel() {
    const stream = health.watch({ service: 'coherency.guest.a' }, soon());
    stream.on('data', (response) => {
      console.log(response.status);
      stream.cancel();
    });
    console.log(await end(stream));
  },
  async reflection() {
    const stream = reflection.serverReflectionInfo(soon());
    stream.on('data', (response) => console.log(response.list_services_response.service.map((service) => service.name).sort().join(' ')));
    const ended = end(stream);
    stream.write({ list_services: '*' });
    stream.end();
    console.log(await ended);
  },
};

scenarios[scenario]().then(() => process.exit(0));
